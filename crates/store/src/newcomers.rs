//! People who came with a batch and have not had their turn yet. Their numbers lie side by side, so they are
//! claimed by walking along them, and enter no index of the queue. Whoever comes into the queue in any other way,
//! or into another batch's lane, is no newcomer any more and is found by that index.

use jobs::Provider;

use crate::Result;
use crate::conn::{Conn, exec, row, rows};

/// A person taken from the queue: number, subject, attempts, the call to repeat.
pub(crate) type PickedRow = (i64, String, i64, Option<i64>);

/// Newcomers that a claim found, and how far it went along them.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) people: Vec<PickedRow>,
    pub(crate) walked: Option<Walked>,
}

/// How far a claim went along the newcomers of a batch.
pub(crate) struct Walked {
    lane: i64,
    /// The last number it looked at.
    to: i64,
}

impl Found {
    /// Takes no account of those behind the number `last`.
    pub(crate) fn seen_to(&mut self, last: i64) {
        if let Some(walked) = &mut self.walked {
            walked.to = walked.to.min(last);
        }
    }
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

/// The first newcomers of a batch, up to `most`: where that are all, seen to the last.
pub(crate) async fn pick(
    conn: &mut Conn,
    provider: Provider,
    lane: i64,
    most: usize,
) -> Result<Found> {
    let range: Option<(i64, i64)> = row!(
        conn,
        "SELECT next, last FROM newcomers WHERE batch_id = $1 AND provider = $2",
        lane,
        provider.as_str(),
    )?;
    let Some((next, last)) = range else { return Ok(Found::default()) };
    // The empty text keeps SQLite from looking up all people of the provider, to put them in order.
    let people: Vec<PickedRow> = rows!(
        conn,
        "SELECT id, subject, attempts, repeat_of FROM reveals
         WHERE id >= $1 AND id <= $2 AND lane = $3 AND provider || '' = $4 AND state = 'queued' AND newcomer = 1
         ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED",
        next,
        last,
        lane,
        provider.as_str(),
        most as i64,
    )?;
    Ok(Found { people, walked: Some(Walked { lane, to: last }) })
}

/// The next claim begins behind those who were asked, at the first who was not: nobody could pay for them, or
/// somebody else had them locked.
pub(crate) async fn pass(conn: &mut Conn, provider: Provider, walked: &Walked) -> Result<()> {
    exec!(
        conn,
        "UPDATE newcomers SET next = COALESCE((
            SELECT r.id FROM reveals r
            WHERE r.id >= newcomers.next AND r.id <= $3
              AND r.lane = $1 AND r.provider || '' = $2 AND r.state = 'queued' AND r.newcomer = 1
            ORDER BY r.id LIMIT 1), $3 + 1)
         WHERE batch_id = $1 AND provider = $2",
        walked.lane,
        provider.as_str(),
        walked.to,
    )?;
    exec!(
        conn,
        "DELETE FROM newcomers WHERE batch_id = $1 AND provider = $2 AND next > last",
        walked.lane,
        provider.as_str(),
    )?;
    Ok(())
}
