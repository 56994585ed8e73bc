//! Loads one chunk of rows in one short transaction: finds or makes its people, and writes its rows and steps.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use db::{Conn, Durability, Ints, ParallelWriter};
use jobs::{Provider, Timestamp};

use crate::batches::loading::{Loaded, Loading, swept};
use crate::batches::submit::place::{
    Found, Step, others_that_load, place_erased, place_rows, place_suppressed, take_over,
};
use crate::batches::submit::rows::Rows;
use crate::error::{Result, StoreError};
use crate::people::erased::mark_erased;
use crate::people::links;
use crate::people::links::evidence::Evidence;
use crate::people::new_row::{NewRow, NewStep};
use crate::people::resolve::{People, RevealIds};
use crate::people::suppressed::SuppressedRows;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::without_mobile;

/// The fewest rows for which a parallel transaction is worth it.
const MANY: usize = 200;

pub(super) async fn load_chunk(
    conn: &mut Conn,
    batch: &Loading,
    mut new_rows: Vec<NewRow>,
    now: Timestamp,
    parallel: Option<ParallelWriter>,
) -> Result<Loaded> {
    let loading: Option<(i64,)> = conn.fetch_optional(
        "SELECT id FROM batches WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
        &[&batch.id],
    )
    .await?;
    if loading.is_none() {
        return Err(swept(batch));
    }
    let mut ids = RevealIds::lock(conn).await?;
    mark_erased(conn, &mut new_rows).await?;
    let erased: Vec<NewRow> = new_rows.extract_if(.., |row| row.erased).collect();
    let mut evidence = Evidence::of_rows(conn, Some(batch.id), &new_rows).await?;
    let list = batch.suppressions.of(conn, ids.suppressions).await?;
    let suppressed =
        SuppressedRows::of(conn, list.as_deref(), &new_rows, &evidence.persons).await?;
    suppressed.remember(conn, now).await?;
    evidence.leave_out(&suppressed.rows);
    let suppressed: Vec<NewRow> =
        new_rows.extract_if(.., |row| suppressed.rows.contains(&row.number)).collect();
    let mut people = look_up_all(conn, batch, &new_rows, &evidence).await?;
    let steps = resolve_all(&mut people, &new_rows, &evidence, &mut ids);
    ids.save(conn).await?;

    let mut totals = Totals::default();
    let contradictions = evidence.contradictions(conn, Some(batch.id), &new_rows).await?;
    let mut loaded = Loaded { contradictions, ..Loaded::default() };
    links::save(conn, &evidence.new, Some(batch.id)).await?;
    let (counted, unclaimed) = counted_and_unclaimed(conn, batch, &people).await?;
    let loading = others_that_load(conn, batch).await?;
    let lacking = match batch.wants_mobile {
        true => without_mobile(conn, people.values().flat_map(People::found)).await?,
        false => BTreeSet::new(),
    };
    let found = Found { steps, counted, unclaimed, loading, lacking };
    let (rows, waterfall) =
        place_rows(&mut people, batch, new_rows, found, &mut totals, &mut loaded);
    let erased_rows = place_erased(batch, erased, &mut totals, &mut loaded);
    let suppressed = place_suppressed(batch, suppressed, &mut totals, &mut loaded);
    let reassigned = take_over(conn, batch, &people, &rows).await?;
    let rows = Rows { waiting: rows, erased: erased_rows, suppressed, waterfall };
    save(conn, batch, people, rows, now, parallel).await?;
    totals.flush(conn, now).await?;
    // The batch's own row is locked last, as everywhere, since results of shared people lock it, too.
    let seen = conn.execute(
        "UPDATE batches SET loader_seen_at = $2, took_over = CASE WHEN $3 = 1 THEN 1 ELSE took_over END,
            owners_due = CASE WHEN $4 = 1 THEN 1 ELSE owners_due END
         WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
        &[&batch.id, &now.0, &i64::from(reassigned.taken_over), &i64::from(reassigned.due)],
    )
    .await?;
    if seen == 1 { Ok(loaded) } else { Err(swept(batch)) }
}

/// Writes people and their rows. On Postgres, many rows are written by a second transaction at the same time, because the
/// server works on one statement of each. The rows are committed first, while all people in them are locked. If the server
/// stops between the two commits, rows without people are left in a batch that is not visible and will be swept.
async fn save(
    conn: &mut Conn,
    batch: &Loading,
    people: BTreeMap<Provider, People>,
    rows: Rows,
    now: Timestamp,
    parallel: Option<ParallelWriter>,
) -> Result<()> {
    if let Some(parallel) = parallel.filter(|_| rows.waiting.len() >= MANY) {
        let written = async {
            let mut other = parallel.begin(Durability::WithTheNext).await?;
            rows.insert(&mut other, batch, now).await?;
            Ok::<_, StoreError>(other)
        };
        let (saved, other) = tokio::join!(save_people(conn, batch, people, now), written);
        saved?;
        conn.commit_after(other?);
        return Ok(());
    }
    save_people(conn, batch, people, now).await?;
    rows.insert(conn, batch, now).await
}

async fn save_people(
    conn: &mut Conn,
    batch: &Loading,
    people: BTreeMap<Provider, People>,
    now: Timestamp,
) -> Result<()> {
    for (_, known) in people {
        known.save(conn, batch.id, now).await?;
    }
    Ok(())
}

async fn look_up_all(
    conn: &mut Conn,
    batch: &Loading,
    new_rows: &[NewRow],
    evidence: &Evidence,
) -> Result<BTreeMap<Provider, People>> {
    let steps = || new_rows.iter().flat_map(|row| &row.steps);
    let mut people = BTreeMap::new();
    for provider in steps().map(|step| step.provider).collect::<BTreeSet<Provider>>() {
        let own = steps().any(|step| step.provider == provider && step.asks_by.is_some());
        if !own && !any_reveal_exists(conn, provider).await? {
            continue;
        }
        let named = |row: &&NewRow| row.steps.iter().any(|step| step.provider == provider);
        let mut identifiers: Vec<&Arc<str>> = Vec::with_capacity(new_rows.len());
        identifiers.extend(new_rows.iter().filter(named).flat_map(|row| &row.identifiers));
        identifiers.extend(evidence.persons.all().iter().flatten());
        // Each identifier once, in the order of the index.
        identifiers.sort_unstable();
        identifiers.dedup();
        let known = People::look_up(conn, provider, &identifiers, batch.refresh_before).await?;
        people.insert(provider, known);
    }
    Ok(people)
}

/// Returns whether any reveal exists at the provider.
async fn any_reveal_exists(conn: &mut Conn, provider: Provider) -> Result<bool> {
    // The order makes Postgres use the index. Without it, Postgres scans the whole table if the provider has no reveal.
    let first: Option<(i64,)> = conn
        .fetch_optional(
            "SELECT id FROM reveals WHERE provider = $1 ORDER BY subject LIMIT 1",
            &[&provider.as_str()],
        )
        .await?;
    Ok(first.is_some())
}

/// Returns one entry for each step of the rows, in order; `None` if the person is unknown and can't be asked for.
fn resolve_all(
    people: &mut BTreeMap<Provider, People>,
    live: &[NewRow],
    evidence: &Evidence,
    ids: &mut RevealIds,
) -> Vec<Option<Step>> {
    let persons = &evidence.persons;
    let named = || live.iter().flat_map(|row| row.steps.iter().map(move |step| (row, step)));
    let mut resolve = |(row, step): (&NewRow, &NewStep)| {
        let provider = step.provider;
        let known = people.get_mut(&provider)?;
        let (person, made) = known.resolve(row, row.asked_by(step)?, persons, ids);
        Some(Step { provider, person, made })
    };
    let mut steps = Vec::with_capacity(live.iter().map(|row| row.steps.len()).sum());
    steps.extend(named().map(&mut resolve));
    // This runs after all rows are resolved, so that the order of two rows in a chunk doesn't matter.
    for (found, (row, step)) in steps.iter_mut().zip(named()).filter(|(found, _)| found.is_none()) {
        let provider = step.provider;
        let person = people.get(&provider).and_then(|known| known.find(row, persons));
        *found = person.map(|person| Step { provider, person, made: false });
    }
    steps
}

/// Returns two sets of the idle reveals. The first are in waterfalls of this batch's earlier rows, where their possible cost
/// is already counted. The second are in no waterfall of this batch or of a published batch that isn't cancelled.
async fn counted_and_unclaimed(
    conn: &mut Conn,
    batch: &Loading,
    people: &BTreeMap<Provider, People>,
) -> Result<(HashSet<i64>, HashSet<i64>)> {
    let mut unclaimed: HashSet<i64> = people.values().flat_map(People::idle).collect();
    if unclaimed.is_empty() {
        return Ok((HashSet::new(), unclaimed));
    }
    let claimed: Vec<(i64, i64)> = conn.fetch_all(
        "SELECT f.reveal_id, CAST(MAX(CASE WHEN f.batch_id = $2 THEN 1 ELSE 0 END) AS BIGINT) FROM IDS($1) AS e
         JOIN row_waterfall f ON f.reveal_id = e.value
         JOIN batches b ON b.id = f.batch_id
         WHERE b.id = $2 OR (b.published_at IS NOT NULL AND b.cancelled_at IS NULL)
         GROUP BY f.reveal_id",
        &[&Ints::of(&unclaimed), &batch.id],
    )
    .await?;
    let mut counted = HashSet::new();
    for (reveal, by_this_batch) in claimed {
        unclaimed.remove(&reveal);
        if by_this_batch == 1 {
            counted.insert(reveal);
        }
    }
    Ok((counted, unclaimed))
}
