//! Rows that ask several providers in turn: they go on to the next, and show whichever found the person.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jobs::{Provider, RevealState, Timestamp};

use crate::Result;
use crate::bill::bill_again;
use crate::conn::{Conn, rows};
use crate::lanes::find_lanes;
use crate::runs::rows_of;
use crate::totals::{Totals, json};
use crate::transition::{parse_provider, parse_state, wake};

/// Those of `ids` whom rows ask in turn with others. What becomes of anybody else moves no row.
pub(crate) async fn in_waterfalls(conn: &mut Conn, ids: &[i64]) -> Result<HashSet<i64>> {
    let listed: Vec<(i64,)> =
        rows_of!(conn, ids, "SELECT f.reveal_id", "row_waterfall f", "f.reveal_id", "");
    Ok(listed.into_iter().map(|(id,)| id).collect())
}

/// Rows whose waterfall stands at one of `ids` go on to their next provider. A row that has gone on
/// already is not touched, so that a webhook and a poll that come together advance it once.
pub(crate) async fn advance_waterfalls(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    state: RevealState,
    now: Timestamp,
) -> Result<()> {
    let advanced = step_on(conn, ids).await?;
    if advanced.is_empty() {
        return Ok(());
    }
    let nexts: Vec<i64> = advanced.iter().map(|(_, id)| *id).collect();
    let states = lock_states(conn, &nexts).await?;
    for (batch, id) in advanced {
        if let Some(&next) = states.get(&id) {
            totals.moved(batch, (provider, state), next, 1);
        }
    }
    // Of whoever waits the claim decides who pays.
    let waits =
        |state| matches!(state, RevealState::Idle | RevealState::Queued | RevealState::Retrying);
    let asked = states.iter().filter(|(_, (_, state))| !waits(*state)).map(|(id, _)| *id);
    let changed: BTreeSet<i64> = asked.chain(still_shown(conn, ids).await?).collect();
    bill_again(conn, &changed).await?;
    follow_states(conn, totals, &states, now).await
}

/// Has the rows show the next in their waterfall; gives the batch of each and whom it shows.
async fn step_on(conn: &mut Conn, ids: &[i64]) -> Result<Vec<(i64, i64)>> {
    let advanced = rows!(
        conn,
        "UPDATE batch_rows SET reveal_id = next.reveal_id
         FROM (SELECT n.batch_id, n.row_number, n.reveal_id, c.reveal_id AS was
               FROM IDS($1) AS e
               JOIN row_waterfall c ON c.reveal_id = CAST(e.value AS BIGINT)
               JOIN row_waterfall n ON n.batch_id = c.batch_id AND n.row_number = c.row_number
                                    AND n.step = c.step + 1) AS next
         WHERE batch_rows.batch_id = next.batch_id AND batch_rows.row_number = next.row_number
           AND batch_rows.reveal_id = next.was AND batch_rows.ended IS NULL
           AND batch_rows.batch_id NOT IN (SELECT b.id FROM batches b WHERE b.cancelled_at IS NOT NULL)
         RETURNING batch_rows.batch_id, batch_rows.reveal_id",
        json(&ids),
    )?;
    Ok(advanced)
}

type States = BTreeMap<i64, (Provider, RevealState)>;

async fn lock_states(conn: &mut Conn, ids: &[i64]) -> Result<States> {
    let found: Vec<(i64, String, String)> = rows!(
        conn,
        "SELECT r.id, r.provider, r.state FROM reveals r
         WHERE r.id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e) ORDER BY r.id FOR UPDATE",
        json(&ids),
    )?;
    let mut states = BTreeMap::new();
    for (id, provider, state) in found {
        states.insert(id, (parse_provider(&provider, id)?, parse_state(&state, id)?));
    }
    Ok(states)
}

/// Whoever waited for nobody is asked now; whoever was answered already sends the rows on at once.
async fn follow_states(
    conn: &mut Conn,
    totals: &mut Totals,
    states: &States,
    now: Timestamp,
) -> Result<()> {
    let mut waking: BTreeMap<Provider, Vec<i64>> = BTreeMap::new();
    let mut waiting: Vec<i64> = Vec::new();
    let mut passing: BTreeMap<(Provider, RevealState), Vec<i64>> = BTreeMap::new();
    for (&id, &(provider, state)) in states {
        match state {
            RevealState::Idle => waking.entry(provider).or_default().push(id),
            RevealState::Queued | RevealState::Retrying => waiting.push(id),
            RevealState::NotFound | RevealState::Failed => {
                passing.entry((provider, state)).or_default().push(id);
            }
            _ => {}
        }
    }
    for (provider, ids) in waking {
        wake(conn, totals, provider, ids, now).await?;
    }
    // They may stand in the lane of a batch that is at its ceiling, or less urgent.
    find_lanes(conn, totals, &waiting, now).await?;
    for ((provider, state), ids) in passing {
        Box::pin(advance_waterfalls(conn, totals, provider, &ids, state, now)).await?;
    }
    Ok(())
}

/// Those whom a row shows all the same: it has nobody else to ask.
async fn still_shown(conn: &mut Conn, ids: &[i64]) -> Result<Vec<i64>> {
    let shown: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT w.reveal_id FROM IDS($1) AS e
         JOIN batch_rows w ON w.reveal_id = CAST(e.value AS BIGINT) AND w.ended IS NULL",
        json(&ids),
    )?;
    Ok(shown.into_iter().map(|(id,)| id).collect())
}

/// Rows that list a person who was found show that, whichever step they were at.
pub(crate) async fn show_found(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    // Locked, so that what the rows showed so far still holds when they are counted.
    let left: Vec<(i64,)> = rows!(
        conn,
        "SELECT r.id FROM reveals r WHERE r.state <> 'found' AND r.id IN (
            SELECT w.reveal_id FROM IDS($1) AS e
            JOIN row_waterfall f ON f.reveal_id = CAST(e.value AS BIGINT)
            JOIN batch_rows w ON w.batch_id = f.batch_id AND w.row_number = f.row_number
                              AND w.reveal_id <> f.reveal_id AND w.ended IS NULL)
         ORDER BY r.id FOR UPDATE",
        json(&ids),
    )?;
    if left.is_empty() {
        return Ok(());
    }
    let stale: Vec<(i64, String, String, i64)> = rows!(
        conn,
        "SELECT w.batch_id, r.provider, r.state, COUNT(*)
         FROM IDS($1) AS e
         JOIN row_waterfall f ON f.reveal_id = CAST(e.value AS BIGINT)
         JOIN batch_rows w ON w.batch_id = f.batch_id AND w.row_number = f.row_number
                           AND w.reveal_id <> f.reveal_id AND w.ended IS NULL
         JOIN reveals r ON r.id = w.reveal_id AND r.state <> 'found'
         GROUP BY w.batch_id, r.provider, r.state",
        json(&ids),
    )?;
    for (batch, from_provider, from, n) in stale {
        let from = (parse_provider(&from_provider, batch)?, parse_state(&from, batch)?);
        totals.moved(batch, from, (provider, RevealState::Found), n);
    }
    // `DISTINCT` has SQLite find the rows first, instead of going through all there are.
    let shown: Vec<(i64,)> = rows!(
        conn,
        "UPDATE batch_rows SET reveal_id = better.reveal_id
         FROM (SELECT DISTINCT f.batch_id, f.row_number, f.reveal_id FROM IDS($1) AS e
               JOIN row_waterfall f ON f.reveal_id = CAST(e.value AS BIGINT)) AS better
         WHERE batch_rows.batch_id = better.batch_id AND batch_rows.row_number = better.row_number
           AND batch_rows.ended IS NULL AND batch_rows.reveal_id <> better.reveal_id
           AND NOT EXISTS (SELECT 1 FROM reveals r WHERE r.id = batch_rows.reveal_id AND r.state = 'found')
         RETURNING batch_rows.reveal_id",
        json(&ids),
    )?;
    bill_again(conn, &shown.iter().chain(&left).map(|(id,)| *id).collect()).await?;
    // Whoever waited for these rows only waits for nobody now.
    let left: Vec<i64> = left.into_iter().map(|(id,)| id).collect();
    find_lanes(conn, totals, &left, now).await
}
