//! People who came with a batch and were never claimed. Their ids are contiguous, so a claim reads them as a range, and they
//! enter no index of the queue. A person who enters the queue in any other way, or is assigned to another batch, is no longer
//! `unclaimed` and is found by that index.

use db::{Conn, record};
use jobs::Provider;

use crate::error::Result;

record! {
    /// A person taken from the queue.
    pub(crate) struct CandidateRow {
        pub(crate) id: i64,
        pub(crate) subject: String,
        pub(crate) attempts: i64,
        /// The call to repeat.
        pub(crate) repeat_of: Option<i64>,
    }
}

/// The number of ids after which a claim stores its cursor: rarely enough for claims of few people, and often enough that
/// the next claims skip few ids.
const NOTED_AFTER: i64 = 200;

/// The ids of the people who came with a batch, from the first that may be unclaimed.
#[derive(Clone, Copy)]
pub(crate) struct UnclaimedRange {
    pub(crate) batch: i64,
    /// No person before this id is unclaimed.
    pub(crate) next: i64,
    /// The last id.
    pub(crate) last: i64,
}

/// The place that a claim reached in an unclaimed range.
pub(crate) struct Cursor {
    range: UnclaimedRange,
    /// The last id that the claim looked at.
    to: i64,
}

/// Adds the ids from `first` to `last`, which follow the ids of earlier chunks.
pub(crate) async fn add(
    conn: &mut Conn,
    batch: i64,
    provider: Provider,
    first: i64,
    last: i64,
) -> Result<()> {
    conn.execute(
        "INSERT INTO unclaimed_ranges (batch_id, provider, next, last) VALUES ($1, $2, $3, $4)
         ON CONFLICT (batch_id, provider) DO UPDATE SET last = excluded.last",
        &[&batch, &provider.as_str(), &first, &last],
    )
    .await?;
    Ok(())
}

impl UnclaimedRange {
    /// Takes the first people of the range, up to `most`.
    pub(crate) async fn take(
        &self,
        conn: &mut Conn,
        provider: Provider,
        most: usize,
    ) -> Result<Vec<CandidateRow>> {
        // The empty text keeps SQLite from looking up all people of the provider in order to sort them.
        Ok(conn.fetch_all(
            "SELECT id, subject, attempts, repeat_of FROM reveals
             WHERE id >= $1 AND id <= $2 AND owner = $3 AND provider || '' = $4 AND state = 'queued' AND unclaimed = 1
             ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED",
            &[&self.next, &self.last, &self.batch, &provider.as_str(), &(most as i64)],
        )
        .await?)
    }

    /// Returns how many people of the range wait, counted up to `most`.
    pub(crate) async fn count(
        &self,
        conn: &mut Conn,
        provider: Provider,
        most: usize,
    ) -> Result<usize> {
        let waiting: i64 = conn.fetch_value(
            "SELECT COUNT(*) FROM (
                SELECT id FROM reveals
                WHERE id >= $1 AND id <= $2 AND owner = $3 AND provider || '' = $4 AND state = 'queued' AND unclaimed = 1
                LIMIT $5) q",
            &[&self.next, &self.last, &self.batch, &provider.as_str(), &(most as i64)],
        )
        .await?;
        Ok(usize::try_from(waiting).unwrap_or(0))
    }

    /// Returns the cursor after a claim that looked at all ids, or at the ids up to `last`.
    pub(crate) fn cursor(&self, last: Option<i64>) -> Cursor {
        Cursor { range: *self, to: last.map_or(self.last, |last| last.min(self.last)) }
    }
}

/// Makes later claims begin at the first person who was not asked because no batch could pay or because another transaction
/// had the row locked.
pub(crate) async fn advance(conn: &mut Conn, provider: Provider, cursor: &Cursor) -> Result<()> {
    let Cursor { range: UnclaimedRange { batch, next, last }, to } = *cursor;
    if to < last && to - next < NOTED_AFTER {
        return Ok(());
    }
    conn.execute(
        "UPDATE unclaimed_ranges SET next = COALESCE((
            SELECT r.id FROM reveals r
            WHERE r.id >= unclaimed_ranges.next AND r.id <= $3
              AND r.owner = $1 AND r.provider || '' = $2 AND r.state = 'queued' AND r.unclaimed = 1
            ORDER BY r.id LIMIT 1), $3 + 1)
         WHERE batch_id = $1 AND provider = $2",
        &[&batch, &provider.as_str(), &to],
    )
    .await?;
    if to == last {
        conn.execute(
            "DELETE FROM unclaimed_ranges WHERE batch_id = $1 AND provider = $2 AND next > last",
            &[&batch, &provider.as_str()],
        )
        .await?;
    }
    Ok(())
}
