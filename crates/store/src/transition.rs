//! Moving people from state to state, with the rows that show them counted along.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jobs::{Provider, RevealState, Timestamp};

use crate::conn::{Conn, exec, rows};
use crate::each::{each, ints, same, same_word, texts};
use crate::lanes::find_lanes;
use crate::totals::{Totals, json};
use crate::{Result, StoreError};

/// What is written with a new state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// The state that all are in, where it is known.
    pub(crate) from: Option<RevealState>,
    pub(crate) to: RevealState,
    pub(crate) reason: Option<&'a str>,
    pub(crate) due_at: Option<Timestamp>,
    /// Added to the attempts.
    pub(crate) attempts: i64,
    /// Set where an answer says so: what it costs, by person.
    pub(crate) answered: Option<&'a HashMap<i64, i64>>,
}

impl Change<'_> {
    pub(crate) fn to(to: RevealState) -> Self {
        Change { from: None, to, reason: None, due_at: None, attempts: 0, answered: None }
    }

    pub(crate) fn between(from: RevealState, to: RevealState) -> Self {
        Change { from: Some(from), ..Change::to(to) }
    }
}

/// Counts the rows that show `ids`, as leaving their state for another. The reveals must be locked.
async fn count_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    Change { from, to, .. }: Change<'_>,
) -> Result<()> {
    if let Some(from) = from {
        let counts: Vec<(i64, i64)> = rows!(
            conn,
            "SELECT w.batch_id, COUNT(*) FROM IDS($1) AS e
             JOIN batch_rows w ON w.reveal_id = CAST(e.value AS BIGINT) AND w.ended IS NULL
             GROUP BY w.batch_id",
            json(&ids),
        )?;
        for (batch, n) in counts {
            totals.moved(batch, (provider, from), (provider, to), n);
        }
        return Ok(());
    }
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
    count_rows(conn, totals, provider, ids, change).await?;
    match change.answered {
        Some(credits) => write_answer(conn, ids, change, credits, now).await?,
        None => write_state(conn, ids, change, now).await?,
    }
    if matches!(change.to, RevealState::NotFound | RevealState::Failed) {
        Box::pin(advance_waterfalls(conn, totals, provider, ids, change.to, now)).await?;
    }
    if change.to == RevealState::Found {
        Box::pin(show_found(conn, totals, provider, ids, now)).await?;
    }
    if matches!(change.to, RevealState::Queued | RevealState::Retrying) {
        end_cancelled_rows(conn, totals, provider, ids, change.to, now).await?;
        // The batch in whose lane they stood may be at its ceiling by now, or cancelled.
        Box::pin(find_lanes(conn, totals, ids, now)).await?;
    }
    Ok(())
}

async fn write_state(
    conn: &mut Conn,
    ids: &[i64],
    change: Change<'_>,
    now: Timestamp,
) -> Result<()> {
    // Whoever was asked apart from others has an answer once they await a result.
    exec!(
        conn,
        "UPDATE reveals SET state = $2, reason = $3, due_at = $4, attempts = attempts + $5, updated_at = $6,
            cohort = CASE WHEN $7 = 1 THEN NULL ELSE cohort END
         WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
        change.to.as_str(),
        change.reason,
        change.due_at.map(|t| t.0),
        change.attempts,
        now.0,
        i64::from(change.to == RevealState::Awaiting),
    )?;
    Ok(())
}

async fn write_answer(
    conn: &mut Conn,
    ids: &[i64],
    change: Change<'_>,
    credits: &HashMap<i64, i64>,
    now: Timestamp,
) -> Result<()> {
    let revealed = matches!(change.to, RevealState::Found | RevealState::NotFound);
    let columns = vec![
        ("id", ints(ids.iter().copied())),
        ("state", same_word(change.to.as_str(), ids.len())),
        ("reason", texts(ids.iter().map(|_| change.reason))),
        ("credits", ints(ids.iter().map(|id| credits.get(id).copied().unwrap_or(0)))),
        ("now", same(now.0, ids.len())),
        ("revealed", same(i64::from(revealed), ids.len())),
    ];
    each(
        conn,
        "UPDATE reveals SET state = e.state, reason = e.reason, due_at = NULL, cohort = NULL,
            updated_at = e.now, credits = reveals.credits + e.credits,
            revealed_at = CASE WHEN e.revealed = 1 THEN COALESCE(reveals.revealed_at, e.now) END
         FROM ROWS WHERE reveals.id = e.id",
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
    let advanced: Vec<(i64, i64)> = rows!(
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
    if advanced.is_empty() {
        return Ok(());
    }
    let nexts: Vec<i64> = advanced.iter().map(|(_, id)| *id).collect();
    let found: Vec<(i64, String, String)> = rows!(
        conn,
        "SELECT r.id, r.provider, r.state FROM reveals r
         WHERE r.id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e) ORDER BY r.id FOR UPDATE",
        json(&nexts),
    )?;
    let mut states = std::collections::HashMap::new();
    for (id, provider, state) in found {
        states.insert(id, (parse_provider(&provider, id)?, parse_state(&state, id)?));
    }
    let mut waking: BTreeMap<Provider, BTreeSet<i64>> = BTreeMap::new();
    let mut waiting: BTreeSet<i64> = BTreeSet::new();
    let mut passing: BTreeMap<(Provider, &'static str), Vec<i64>> = BTreeMap::new();
    for (batch, id) in advanced {
        let Some(&(next_provider, next_state)) = states.get(&id) else { continue };
        totals.moved(batch, (provider, state), (next_provider, next_state), 1);
        match next_state {
            RevealState::Idle => {
                waking.entry(next_provider).or_default().insert(id);
            }
            RevealState::Queued | RevealState::Retrying => {
                waiting.insert(id);
            }
            RevealState::NotFound | RevealState::Failed => {
                passing.entry((next_provider, next_state.as_str())).or_default().push(id);
            }
            _ => {}
        }
    }
    for (next_provider, ids) in waking {
        wake(conn, totals, next_provider, ids.into_iter().collect(), now).await?;
    }
    // They may stand in the lane of a batch that is at its ceiling, or less urgent.
    find_lanes(conn, totals, &waiting.into_iter().collect::<Vec<_>>(), now).await?;
    for ((next_provider, state), ids) in passing {
        let state = parse_state(state, 0)?;
        Box::pin(advance_waterfalls(conn, totals, next_provider, &ids, state, now)).await?;
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
    exec!(
        conn,
        "UPDATE batch_rows SET reveal_id = better.reveal_id
         FROM (SELECT DISTINCT f.batch_id, f.row_number, f.reveal_id FROM IDS($1) AS e
               JOIN row_waterfall f ON f.reveal_id = CAST(e.value AS BIGINT)) AS better
         WHERE batch_rows.batch_id = better.batch_id AND batch_rows.row_number = better.row_number
           AND batch_rows.ended IS NULL AND batch_rows.reveal_id <> better.reveal_id
           AND NOT EXISTS (SELECT 1 FROM reveals r WHERE r.id = batch_rows.reveal_id AND r.state = 'found')",
        json(&ids),
    )?;
    // Whoever waited for these rows only waits for nobody now.
    let left: Vec<i64> = left.into_iter().map(|(id,)| id).collect();
    find_lanes(conn, totals, &left, now).await
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
