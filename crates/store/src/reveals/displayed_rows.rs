//! The rows that display a reveal, and which reveal a row with a waterfall displays.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use db::bulk::{fetch_by_ids, ints, write_rows};
use db::{Conn, Ints, record};

use crate::decode::{parse_provider, parse_state};
use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::waterfall::{Move, States, Waterfall, moves, touched};

record! {
    /// A row that displays a reveal.
    pub(crate) struct RowShowing {
        pub(crate) reveal_id: i64,
        pub(crate) batch_id: i64,
        /// Whether it shares the charge (1).
        pub(crate) shared: i64,
    }
}

/// Returns the rows that show these people and that haven't ended on their own.
pub(crate) async fn rows_showing(conn: &mut Conn, ids: &[i64]) -> Result<Vec<RowShowing>> {
    Ok(fetch_by_ids(
        conn,
        "SELECT w.reveal_id, w.batch_id, w.shared
         FROM IDS OF batch_rows w BY w.reveal_id AND w.ended IS NULL",
        ids,
    )
    .await?)
}

/// Returns those of `ids` that are steps of waterfalls. Changes of other reveals move no row.
pub(crate) async fn in_waterfalls(conn: &mut Conn, ids: &[i64]) -> Result<HashSet<i64>> {
    let listed: Vec<(i64,)> =
        fetch_by_ids(conn, "SELECT f.reveal_id FROM IDS OF row_waterfall f BY f.reveal_id", ids)
            .await?;
    Ok(listed.into_iter().map(|(id,)| id).collect())
}

/// Makes rows that list any of `ids` show the step that follows from the current states. Returns the reveals that rows
/// began or ceased to show. `ids` must be locked.
pub(crate) async fn redisplay(
    conn: &mut Conn,
    totals: &mut Totals,
    ids: &[i64],
) -> Result<BTreeSet<i64>> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut locked: BTreeSet<i64> = ids.iter().copied().collect();
    loop {
        let (rows, states) = read_waterfalls(conn, ids).await?;
        let moving = moves(&rows, &states);
        let rows_that_move: HashSet<(i64, i64)> = moving.iter().map(|m| (m.batch, m.row)).collect();
        let steps = rows.iter().filter(|row| rows_that_move.contains(&(row.batch, row.row)));
        let missing: BTreeSet<i64> = steps
            .flat_map(|row| row.steps.iter().copied().chain([row.shown]))
            .filter(|id| !locked.contains(id))
            .collect();
        if missing.is_empty() {
            write(conn, totals, &moving, &states).await?;
            return Ok(touched(&moving));
        }
        // The states that decide where a row goes must hold until the row is written, so they are read again under the locks.
        lock_states(conn, &missing).await?;
        locked.extend(missing);
    }
}

record! {
    struct StepRow {
        batch_id: i64,
        row_number: i64,
        shown: i64,
        reveal_id: i64,
        provider: String,
        state: String,
        wants_mobile: i64,
    }
}

/// Returns those of these people who were found, but without a number that is or may be a mobile number.
pub(crate) async fn without_mobile(
    conn: &mut Conn,
    ids: impl IntoIterator<Item = i64>,
) -> Result<BTreeSet<i64>> {
    let ids: BTreeSet<i64> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let found: Vec<(i64,)> = conn.fetch_all(
        "SELECT r.id FROM IDS($1) AS e JOIN reveals r ON r.id = e.value
         WHERE r.state = 'found' AND NOT EXISTS (
            SELECT 1 FROM phones p WHERE p.reveal_id = r.id AND p.type IN ('mobile', 'fixed_or_mobile'))",
        &[&Ints::of(&ids)],
    )
    .await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Returns the rows that list any of `ids` and haven't ended, and the states of all their steps.
pub(crate) async fn read_waterfalls(
    conn: &mut Conn,
    ids: &[i64],
) -> Result<(Vec<Waterfall>, States)> {
    let steps: Vec<StepRow> = conn.fetch_all(
        "SELECT DISTINCT g.batch_id, g.row_number, w.reveal_id AS shown, g.step, g.reveal_id, r.provider, r.state, b.wants_mobile
         FROM IDS($1) AS e
         JOIN row_waterfall f ON f.reveal_id = e.value
         JOIN batch_rows w ON w.batch_id = f.batch_id AND w.row_number = f.row_number AND w.ended IS NULL
         JOIN row_waterfall g ON g.batch_id = f.batch_id AND g.row_number = f.row_number
         JOIN reveals r ON r.id = g.reveal_id
         JOIN batches b ON b.id = f.batch_id
         ORDER BY g.batch_id, g.row_number, g.step",
        &[&Ints::of(ids)],
    )
    .await?;
    let mut states = States::new();
    let mut found: Vec<Waterfall> = Vec::new();
    let wanting = steps.iter().filter(|step| step.wants_mobile == 1);
    let lacking = without_mobile(conn, wanting.map(|step| step.reveal_id)).await?;
    for StepRow { batch_id, row_number, shown, reveal_id, provider, state, wants_mobile, .. } in
        steps
    {
        let lacks = wants_mobile == 1 && lacking.contains(&reveal_id);
        if let Entry::Vacant(new) = states.entry(reveal_id) {
            new.insert((parse_provider(&provider, reveal_id)?, parse_state(&state, reveal_id)?));
        }
        match found.last_mut() {
            Some(row) if (row.batch, row.row) == (batch_id, row_number) => {
                row.steps.push(reveal_id);
                row.lacking.extend(lacks.then_some(reveal_id));
            }
            _ => found.push(Waterfall {
                batch: batch_id,
                row: row_number,
                shown,
                steps: vec![reveal_id],
                lacking: lacks.then_some(reveal_id).into_iter().collect(),
            }),
        }
    }
    Ok((found, states))
}

record! {
    /// The state of a locked reveal.
    struct StateRow {
        id: i64,
        provider: String,
        state: String,
    }
}

/// Locks reveals in the order of their ids, and reads their states.
pub(crate) async fn lock_states(conn: &mut Conn, ids: &BTreeSet<i64>) -> Result<States> {
    let found: Vec<StateRow> = conn
        .fetch_all(
            "SELECT r.id, r.provider, r.state FROM reveals r
             WHERE r.id IN (SELECT e.value FROM IDS($1) AS e) ORDER BY r.id FOR UPDATE",
            &[&Ints::of(ids)],
        )
        .await?;
    let standing = |StateRow { id, provider, state }: StateRow| {
        Ok((id, (parse_provider(&provider, id)?, parse_state(&state, id)?)))
    };
    found.into_iter().map(standing).collect()
}

async fn write(
    conn: &mut Conn,
    totals: &mut Totals,
    moving: &[Move],
    states: &States,
) -> Result<()> {
    let mut counts: BTreeMap<(i64, i64, i64), i64> = BTreeMap::new();
    for moved in moving {
        *counts.entry((moved.batch, moved.from, moved.to)).or_default() += 1;
    }
    for ((batch, from, to), n) in counts {
        if let (Some(from), Some(to)) = (states.get(&from), states.get(&to)) {
            totals.moved(batch, *from, *to, n);
        }
    }
    let columns = vec![
        ("batch", ints(moving.iter().map(|moved| moved.batch))),
        ("number", ints(moving.iter().map(|moved| moved.row))),
        ("shows", ints(moving.iter().map(|moved| moved.to))),
        ("kept", ints(moving.iter().map(|moved| moved.kept))),
    ];
    write_rows(
        conn,
        "UPDATE batch_rows SET reveal_id = e.shows, kept_id = e.kept
         FROM ROWS WHERE batch_rows.batch_id = e.batch AND batch_rows.row_number = e.number
           AND batch_rows.ended IS NULL",
        columns,
    )
    .await?;
    Ok(())
}
