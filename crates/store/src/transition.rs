//! Moving people from state to state, with the rows that show them counted along.

use jobs::{Provider, RevealState, Timestamp};

use crate::conn::{Conn, rows};
use crate::each::{REVEAL, each_along, ints, same, same_text};
use crate::lanes::find_lanes;
use crate::totals::{Totals, json};
use crate::waterfall::{advance_waterfalls, show_found};
use crate::{Result, StoreError};

/// What is written with a new state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) to: RevealState,
    pub(crate) reason: Option<&'a str>,
    pub(crate) due_at: Option<Timestamp>,
    /// Added to the attempts.
    pub(crate) attempts: i64,
}

impl Change<'_> {
    pub(crate) fn to(to: RevealState) -> Self {
        Change { to, reason: None, due_at: None, attempts: 0 }
    }
}

/// Counts the rows that show `ids`, as leaving their state for another. The reveals must be locked.
pub(crate) async fn count_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    to: RevealState,
) -> Result<()> {
    let counts: Vec<(i64, String, i64)> = rows!(
        conn,
        "SELECT w.batch_id, r.state, COUNT(*) FROM IDS($1) AS e
         JOIN reveals r ON r.id = CAST(e.value AS BIGINT)
         JOIN batch_rows w ON w.reveal_id = r.id AND w.ended IS NULL
         GROUP BY w.batch_id, r.state",
        json(&ids),
    )?;
    for (batch, state, n) in counts {
        totals.moved(batch, (provider, parse_state(&state, batch)?), (provider, to), n);
    }
    Ok(())
}

/// Moves `ids`, whatever state they are in.
pub(crate) async fn shift(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    change: Change<'_>,
    now: Timestamp,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    count_rows(conn, totals, provider, ids, change.to).await?;
    write_state(conn, ids, change, now).await?;
    see_to_rows(conn, totals, provider, ids, change.to, now).await
}

/// What somebody's new state means for the rows that show them, or could.
pub(crate) async fn see_to_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    state: RevealState,
    now: Timestamp,
) -> Result<()> {
    match state {
        RevealState::NotFound | RevealState::Failed => {
            Box::pin(advance_waterfalls(conn, totals, provider, ids, state, now)).await
        }
        RevealState::Found => Box::pin(show_found(conn, totals, provider, ids, now)).await,
        RevealState::Queued | RevealState::Retrying => {
            end_cancelled_rows(conn, totals, provider, ids, state, now).await?;
            // The batch in whose lane they stood may be at its ceiling by now, or cancelled.
            Box::pin(find_lanes(conn, totals, ids, now)).await
        }
        _ => Ok(()),
    }
}

async fn write_state(
    conn: &mut Conn,
    ids: &[i64],
    change: Change<'_>,
    now: Timestamp,
) -> Result<()> {
    let rows = ids.len();
    let columns = vec![
        ("id", ints(ids.iter().copied())),
        ("state", same_text(change.to.as_str(), rows)),
        ("reason", same_text(change.reason, rows)),
        ("due_at", same(change.due_at.map(|at| at.0), rows)),
        ("attempts", same(change.attempts, rows)),
        ("now", same(now.0, rows)),
    ];
    each_along(
        conn,
        "UPDATE reveals SET state = e.state, reason = e.reason, due_at = e.due_at, newcomer = 0,
            attempts = reveals.attempts + e.attempts, updated_at = e.now
         FROM ROWS WHERE reveals.id = e.id",
        &REVEAL,
        columns,
    )
    .await?;
    Ok(())
}

/// People who come back into the queue are not asked for the rows of cancelled batches any more.
async fn end_cancelled_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    state: RevealState,
    now: Timestamp,
) -> Result<()> {
    let ended: Vec<(i64,)> = rows!(
        conn,
        "UPDATE batch_rows SET ended = 'cancelled', ended_at = $2
         WHERE reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e) AND ended IS NULL
           AND batch_id IN (SELECT b.id FROM batches b WHERE b.cancelled_at IS NOT NULL)
         RETURNING batch_id",
        json(&ids),
        now.0,
    )?;
    for (batch,) in ended {
        totals.moved(batch, (provider, state), (provider, RevealState::Cancelled), 1);
    }
    Ok(())
}

/// Gives people that nobody waited for so far their turn.
pub(crate) async fn wake(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: Vec<i64>,
    now: Timestamp,
) -> Result<()> {
    shift(conn, totals, provider, &ids, Change::to(RevealState::Queued), now).await?;
    find_lanes(conn, totals, &ids, now).await?;
    conn.announce(crate::Topic::Queue);
    Ok(())
}

pub(crate) fn parse_state(state: &str, row: i64) -> Result<RevealState> {
    state.parse().map_err(|_| StoreError::Corrupt {
        table: "reveals",
        column: "state",
        row: row.to_string(),
        value: state.to_owned(),
    })
}

pub(crate) fn parse_provider(provider: &str, row: i64) -> Result<Provider> {
    provider.parse().map_err(|_| StoreError::Corrupt {
        table: "reveals",
        column: "provider",
        row: row.to_string(),
        value: provider.to_owned(),
    })
}
