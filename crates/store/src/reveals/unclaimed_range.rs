//! People who came with a batch and have not had their turn yet. Their numbers lie side by side, so they are
//! claimed by walking along them, and enter no index of the queue. Whoever comes into the queue in any other way,
//! or into another batch's lane, is no newcomer any more and is found by that index.

use db::{Conn, exec, rows, value};
use jobs::Provider;

use crate::error::Result;

/// A person taken from the queue: number, subject, attempts, the call to repeat.
pub(crate) type PickedRow = (i64, String, i64, Option<i64>);

/// After so many numbers it is written down how far a claim went: less often than claims of few people come, and
/// soon enough for the next ones not to notice.
const NOTED_AFTER: i64 = 200;

/// Where the newcomers of a batch are, who have not had their turn yet.
#[derive(Clone, Copy)]
pub(crate) struct Newcomers {
    pub(crate) batch: i64,
    /// Nobody before this number waits.
    pub(crate) next: i64,
    /// The number of the last who came.
    pub(crate) last: i64,
}

/// How far a claim went along the newcomers of a batch.
pub(crate) struct Walked {
    along: Newcomers,
    /// The last number it looked at.
    to: i64,
}

/// Newcomers with the numbers from `first` to `last` are there, behind those that came before.
pub(crate) async fn arrive(
    conn: &mut Conn,
    batch: i64,
    provider: Provider,
    first: i64,
    last: i64,
) -> Result<()> {
    exec!(
        conn,
        "INSERT INTO newcomers (batch_id, provider, next, last) VALUES ($1, $2, $3, $4)
         ON CONFLICT (batch_id, provider) DO UPDATE SET last = excluded.last",
        batch,
        provider.as_str(),
        first,
        last,
    )?;
    Ok(())
}

impl Newcomers {
    /// The first of them, up to `most`.
    pub(crate) async fn pick(
        &self,
        conn: &mut Conn,
        provider: Provider,
        most: usize,
    ) -> Result<Vec<PickedRow>> {
        // The empty text keeps SQLite from looking up all people of the provider, to put them in order.
        Ok(rows!(
            conn,
            "SELECT id, subject, attempts, repeat_of FROM reveals
             WHERE id >= $1 AND id <= $2 AND lane = $3 AND provider || '' = $4 AND state = 'queued' AND newcomer = 1
             ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED",
            self.next,
            self.last,
            self.batch,
            provider.as_str(),
            most as i64,
        )?)
    }

    /// How many of them wait, counted up to `most`.
    pub(crate) async fn count(
        &self,
        conn: &mut Conn,
        provider: Provider,
        most: usize,
    ) -> Result<usize> {
        let waiting: i64 = value!(
            conn,
            "SELECT COUNT(*) FROM (
                SELECT id FROM reveals
                WHERE id >= $1 AND id <= $2 AND lane = $3 AND provider || '' = $4 AND state = 'queued' AND newcomer = 1
                LIMIT $5) q",
            self.next,
            self.last,
            self.batch,
            provider.as_str(),
            most as i64,
        )?;
        Ok(usize::try_from(waiting).unwrap_or(0))
    }

    /// All were looked at, or those up to the number `last`.
    pub(crate) fn walked(&self, last: Option<i64>) -> Walked {
        Walked { along: *self, to: last.map_or(self.last, |last| last.min(self.last)) }
    }
}

/// A later claim begins behind those who were asked, at the first who was not: nobody could pay for them, or
/// somebody else had them locked.
pub(crate) async fn pass(conn: &mut Conn, provider: Provider, walked: &Walked) -> Result<()> {
    let Walked { along: Newcomers { batch, next, last }, to } = *walked;
    if to < last && to - next < NOTED_AFTER {
        return Ok(());
    }
    exec!(
        conn,
        "UPDATE newcomers SET next = COALESCE((
            SELECT r.id FROM reveals r
            WHERE r.id >= newcomers.next AND r.id <= $3
              AND r.lane = $1 AND r.provider || '' = $2 AND r.state = 'queued' AND r.newcomer = 1
            ORDER BY r.id LIMIT 1), $3 + 1)
         WHERE batch_id = $1 AND provider = $2",
        batch,
        provider.as_str(),
        to,
    )?;
    if to == last {
        exec!(
            conn,
            "DELETE FROM newcomers WHERE batch_id = $1 AND provider = $2 AND next > last",
            batch,
            provider.as_str(),
        )?;
    }
    Ok(())
}
