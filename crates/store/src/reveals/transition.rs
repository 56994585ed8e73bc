//! Moves people from state to state, and counts the rows that show them accordingly.

use std::collections::{BTreeMap, BTreeSet};

use db::bulk::{Key, ints, same, same_text, write_ranges, write_rows};
use db::{Conn, Ints};
use jobs::{Provider, RevealState, Timestamp};

use crate::error::Result;
use crate::reveals::charge::display_charges_again;
use crate::reveals::counters::{Totals, count_rows};
use crate::reveals::displayed_rows::{lock_states, redisplay, rows_showing};
use crate::reveals::ownership::assign_owners;
use crate::reveals::waterfall::{States, waits};

/// The key of reveals: their ids.
pub(crate) const REVEAL: Key = Key { of: "reveals.id", by: "id", within: None };

/// A new state, and the columns that are written with it.
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

/// Moves `ids` to the new state, whatever state they are in. The reveals must be locked.
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
    match change.to {
        RevealState::Found | RevealState::NotFound | RevealState::Failed | RevealState::Expired => {
            follow(conn, totals, ids, &[], now).await
        }
        RevealState::Idle | RevealState::Queued | RevealState::Retrying => {
            assign_owners(conn, totals, ids, now).await
        }
        RevealState::Asked | RevealState::Cancelled => Ok(()),
    }
}

/// Moves people who had no number back into the queue. The reveals must be locked.
pub(crate) async fn reopen(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    count_rows(conn, totals, provider, ids, RevealState::Queued).await?;
    write_state(conn, ids, Change::to(RevealState::Queued), now).await?;
    conn.execute(
        "UPDATE reveals SET revealed_at = NULL WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(ids)],
    )
    .await?;
    follow(conn, totals, ids, ids, now).await
}

/// Applies new states to rows and queue. Rows that list any of `changed` show the step that they are at. Reveals that rows
/// show now enter the queue, and reveals that no row shows any more leave it; this includes the reveals in `waiting`.
pub(crate) async fn follow(
    conn: &mut Conn,
    totals: &mut Totals,
    changed: &[i64],
    waiting: &[i64],
    now: Timestamp,
) -> Result<()> {
    let touched = redisplay(conn, totals, changed).await?;
    let queue: BTreeSet<i64> = touched.iter().chain(waiting).copied().collect();
    assign_owners(conn, totals, &queue.into_iter().collect::<Vec<_>>(), now).await?;
    display_charges_again(conn, &touched).await
}

/// Merges reveals that turned out to be one person's. The first of each pair gives way to the second if the first waits.
/// Rows that list the first, at any step, list the second instead, and only once.
pub(crate) async fn give_way(
    conn: &mut Conn,
    totals: &mut Totals,
    pairs: &BTreeMap<i64, i64>,
    now: Timestamp,
) -> Result<()> {
    let all: BTreeSet<i64> = pairs.iter().flat_map(|(loser, winner)| [*loser, *winner]).collect();
    let states = lock_states(conn, &all).await?;
    let pairs: Vec<(i64, i64)> = pairs
        .iter()
        .filter(|(loser, winner)| loser != winner && states.contains_key(winner))
        .filter(|(loser, _)| states.get(loser).is_some_and(|(_, state)| waits(*state)))
        .map(|(loser, winner)| (*loser, *winner))
        .collect();
    if pairs.is_empty() {
        return Ok(());
    }
    count_given(conn, totals, &pairs, &states).await?;
    write_given(conn, &pairs, now).await?;
    let winners: BTreeSet<i64> = pairs.iter().map(|(_, winner)| *winner).collect();
    let winners: Vec<i64> = winners.into_iter().collect();
    let losers: Vec<i64> = pairs.iter().map(|(loser, _)| *loser).collect();
    follow(conn, totals, &winners, &[&*winners, &losers].concat(), now).await?;
    display_charges_again(conn, &winners.into_iter().collect()).await
}

/// Counts the rows that display the losers of a merge as displaying the winners.
async fn count_given(
    conn: &mut Conn,
    totals: &mut Totals,
    pairs: &[(i64, i64)],
    states: &States,
) -> Result<()> {
    let winners: BTreeMap<i64, i64> = pairs.iter().copied().collect();
    let losers: Vec<i64> = winners.keys().copied().collect();
    for row in rows_showing(conn, &losers).await? {
        let winner = winners.get(&row.reveal_id).and_then(|winner| states.get(winner));
        if let (Some(from), Some(to)) = (states.get(&row.reveal_id), winner) {
            totals.moved(row.batch_id, *from, *to, 1);
        }
    }
    Ok(())
}

async fn write_given(conn: &mut Conn, pairs: &[(i64, i64)], now: Timestamp) -> Result<()> {
    let losers = || ints(pairs.iter().map(|(loser, _)| *loser));
    let columns =
        || vec![("loser", losers()), ("winner", ints(pairs.iter().map(|(_, winner)| *winner)))];
    write_rows(
        conn,
        "UPDATE batch_rows SET reveal_id = e.winner, shared = 1 FROM ROWS WHERE batch_rows.reveal_id = e.loser",
        columns(),
    )
    .await?;
    write_rows(
        conn,
        "UPDATE row_waterfall SET reveal_id = e.winner FROM ROWS WHERE row_waterfall.reveal_id = e.loser",
        columns(),
    )
    .await?;
    let winners: Vec<i64> = pairs.iter().map(|(_, winner)| *winner).collect();
    conn.execute(
        "DELETE FROM row_waterfall WHERE reveal_id IN (SELECT e.value FROM IDS($1) AS e)
           AND EXISTS (SELECT 1 FROM row_waterfall f
                       WHERE f.batch_id = row_waterfall.batch_id AND f.row_number = row_waterfall.row_number
                         AND f.reveal_id = row_waterfall.reveal_id AND f.step < row_waterfall.step)",
        &[&Ints::of(&winners)],
    )
    .await?;
    write_rows(
        conn,
        "UPDATE reveals SET state = 'idle', reason = NULL, due_at = NULL, owner = NULL, isolation_group = NULL,
            unclaimed = 0, updated_at = e.now
         FROM ROWS WHERE reveals.id = e.loser",
        vec![("loser", losers()), ("now", same(now.0, pairs.len()))],
    )
    .await?;
    Ok(())
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
    write_ranges(
        conn,
        "UPDATE reveals SET state = e.state, reason = e.reason, due_at = e.due_at, unclaimed = 0,
            attempts = reveals.attempts + e.attempts, updated_at = e.now
         FROM ROWS WHERE reveals.id = e.id",
        &REVEAL,
        columns,
    )
    .await?;
    Ok(())
}
