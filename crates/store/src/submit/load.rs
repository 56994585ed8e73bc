//! One chunk of rows: people found or made, rows and steps written, in one short transaction.

use std::collections::{BTreeMap, HashSet};

use jobs::{Provider, Timestamp};

use super::place::{adopt_lanes, place_erased, place_rows};
use super::rows::{insert_rows, insert_waterfall};
use super::{Loaded, Loading, NewRow, NewStep, swept};
use crate::Result;
use crate::conn::{Conn, exec, row, rows};
use crate::erasures::mark_erased;
use crate::resolve::{Numbers, People};
use crate::totals::{Totals, json};

/// A row with its people found or made.
pub(super) struct Resolved {
    pub(super) number: i64,
    pub(super) fields: String,
    pub(super) steps: Vec<(Provider, i64, bool)>,
}

pub(super) async fn load_chunk(
    conn: &mut Conn,
    batch: &Loading,
    mut new_rows: Vec<NewRow>,
    now: Timestamp,
) -> Result<Loaded> {
    let loading: Option<(i64,)> = row!(
        conn,
        "SELECT id FROM batches WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
        batch.id,
    )?;
    if loading.is_none() {
        return Err(swept(batch));
    }
    let mut numbers = Numbers::lock(conn).await?;
    mark_erased(conn, &mut new_rows).await?;
    let mut people = look_up_all(conn, batch, &new_rows).await?;
    let (erased, live): (Vec<NewRow>, Vec<NewRow>) =
        new_rows.into_iter().partition(|row| row.erased);
    let resolved = resolve_all(&mut people, live, &mut numbers);
    numbers.save(conn).await?;

    let mut totals = Totals::default();
    let mut loaded = Loaded::default();
    let counted = counted_before(conn, batch, &people).await?;
    let (rows, waterfall) =
        place_rows(&mut people, batch, resolved, &counted, &mut totals, &mut loaded);
    let erased_rows = place_erased(batch, erased, &mut totals, &mut loaded);
    adopt_lanes(conn, batch, &people, &rows).await?;
    let mut merged = Vec::new();
    for (_, known) in people {
        merged.push(known.save(conn, &mut totals, now).await?);
    }
    insert_rows(conn, batch, rows, now).await?;
    insert_rows(conn, batch, erased_rows, now).await?;
    insert_waterfall(conn, batch, &waterfall).await?;
    for merged in merged {
        merged.follow(conn, &mut totals, now).await?;
    }
    totals.flush(conn, now).await?;
    // The batch's own row is locked last, as everywhere: results of shared people lock it, too.
    let seen = exec!(
        conn,
        "UPDATE batches SET loader_seen_at = $2
         WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
        batch.id,
        now.0,
    )?;
    if seen == 1 { Ok(loaded) } else { Err(swept(batch)) }
}

pub(super) async fn look_up_all(
    conn: &mut Conn,
    batch: &Loading,
    new_rows: &[NewRow],
) -> Result<BTreeMap<Provider, People>> {
    let mut identifiers: BTreeMap<Provider, Vec<&str>> = BTreeMap::new();
    for step in new_rows.iter().filter(|row| !row.erased).flat_map(|row| &row.steps) {
        identifiers
            .entry(step.provider)
            .or_default()
            .extend(step.identifiers.iter().map(String::as_str));
    }
    let own = |provider| {
        let mut steps = new_rows.iter().flat_map(|row| &row.steps);
        steps.any(|step| step.provider == provider && !step.only_if_known)
    };
    let mut people = BTreeMap::new();
    for (provider, mut identifiers) in identifiers {
        // In the order of the index, and each once.
        identifiers.sort_unstable();
        identifiers.dedup();
        if !own(provider) && !anybody_known(conn, provider).await? {
            continue;
        }
        let known = People::look_up(conn, provider, &identifiers, batch.refresh_before).await?;
        people.insert(provider, known);
    }
    Ok(people)
}

/// Whether the provider was, or is to be, asked for anybody at all.
pub(super) async fn anybody_known(conn: &mut Conn, provider: Provider) -> Result<bool> {
    // By the index: without an order, Postgres looks through the whole table for nobody.
    let first: Option<(i64,)> = row!(
        conn,
        "SELECT id FROM reveals WHERE provider = $1 ORDER BY subject LIMIT 1",
        provider.as_str()
    )?;
    Ok(first.is_some())
}

pub(super) fn resolve_all(
    people: &mut BTreeMap<Provider, People>,
    live: Vec<NewRow>,
    numbers: &mut Numbers,
) -> Vec<Resolved> {
    let resolved: Vec<Vec<Option<(Provider, i64, bool)>>> = live
        .iter()
        .map(|row| {
            let resolve = |step: &NewStep| {
                let known = people.get_mut(&step.provider).filter(|_| !step.only_if_known)?;
                let (id, new) = known.resolve(&step.identifiers, numbers);
                Some((step.provider, id, new))
            };
            row.steps.iter().map(resolve).collect()
        })
        .collect();
    // Afterwards, so that it doesn't matter which of two rows comes first in a chunk.
    live.into_iter()
        .zip(resolved)
        .map(|(row, own)| {
            let steps = row.steps.iter().zip(own).filter_map(|(step, own)| {
                let by_others = || {
                    Some((
                        step.provider,
                        people.get(&step.provider)?.find(&step.identifiers)?,
                        false,
                    ))
                };
                own.or_else(by_others)
            });
            Resolved { number: row.number, steps: steps.collect(), fields: row.fields }
        })
        .collect()
}

/// People of this chunk who stand further down in the waterfall of an earlier one's rows: what they
/// may cost is counted there.
pub(super) async fn counted_before(
    conn: &mut Conn,
    batch: &Loading,
    people: &BTreeMap<Provider, People>,
) -> Result<HashSet<i64>> {
    let idle: Vec<i64> = people.values().flat_map(People::idle).collect();
    if idle.is_empty() {
        return Ok(HashSet::new());
    }
    let counted: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT f.reveal_id FROM IDS($1) AS e
         JOIN row_waterfall f ON f.reveal_id = CAST(e.value AS BIGINT) AND f.batch_id = $2",
        json(&idle),
        batch.id,
    )?;
    Ok(counted.into_iter().map(|(id,)| id).collect())
}
