//! Decides which reveal each row displays, and which batch owns the reveal.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use db::{Conn, Ints};
use jobs::{Provider, RevealState};
use smallvec::SmallVec;

use crate::batches::loading::{Loaded, Loading};
use crate::batches::submit::rows::{NewBatchRow, RowStep};
use crate::error::Result;
use crate::people::new_row::NewRow;
use crate::people::resolve::{People, Place};
use crate::reveals::counters::Totals;
use crate::reveals::waterfall::{Step as Standing, displayed_step, kept_step};

/// The results of the look-ups for a chunk.
pub(super) struct Found {
    /// One entry for each step of the rows, in order; `None` if the person is unknown and can't be asked for.
    pub(super) steps: Vec<Option<Step>>,
    /// Reveals whose cost was counted with earlier rows.
    pub(super) counted: HashSet<i64>,
    /// Known reveals that are in no waterfall.
    pub(super) unclaimed: HashSet<i64>,
    /// Other batches that are loading, or were loading when their submit died.
    pub(super) loading: HashSet<i64>,
    /// Reveals that were found, but only with numbers of another type than the batch wants.
    pub(super) lacking: BTreeSet<i64>,
}

/// Decides which reveal each row displays, and queues idle reveals.
pub(super) fn place_rows(
    people: &mut BTreeMap<Provider, People>,
    batch: &Loading,
    new_rows: Vec<NewRow>,
    mut found: Found,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> (Vec<NewBatchRow>, Vec<RowStep>) {
    let (mut rows, mut waterfall) = (Vec::with_capacity(new_rows.len()), Vec::new());
    let mut all_steps = std::mem::take(&mut found.steps).into_iter();
    let mut steps: Vec<Step> = Vec::new();
    for row in new_rows {
        steps.clear();
        steps.extend(all_steps.by_ref().take(row.steps.len()).flatten());
        let mut named = SmallVec::<[(Provider, Place); 2]>::new();
        steps.retain(|step| {
            let new = !named.contains(&(step.provider, step.person));
            named.push((step.provider, step.person));
            new
        });
        let stands = |step: &Step| {
            let known = people.get(&step.provider);
            let state = known.map_or(RevealState::Idle, |known| known.state(step.person));
            let id = known.map(|known| known.id(step.person));
            Standing { state, lacks: id.is_some_and(|id| found.lacking.contains(&id)) }
        };
        let shown = displayed_step(steps.iter().map(stands)).unwrap_or_default();
        let kept = kept_step(steps.iter().map(stands)).and_then(|nth| {
            let step = steps.get(nth)?;
            people.get(&step.provider).map(|known| known.id(step.person))
        });
        let Some((known, step)) =
            steps.get(shown).and_then(|step| Some((people.get_mut(&step.provider)?, step)))
        else {
            continue;
        };
        let reveal = known.id(step.person);
        let woken = known.take_ownership(step.person, batch.id, &found.loading);
        totals.new_rows(batch.id, step.provider, known.state(step.person), 1);
        count_new_people(people, &steps[shown..], woken, &mut found, loaded);
        loaded.rows += 1;
        // The row that queues an idle person pays; all other rows share the charge.
        let shared = i64::from(!woken);
        loaded.shared += shared;
        let number = row.number;
        if steps.len() > 1 {
            let id = |step: &Step| people.get(&step.provider).map(|known| known.id(step.person));
            let in_turn = (0..).zip(steps.iter().filter_map(id));
            waterfall.extend(in_turn.map(|(step, reveal)| RowStep { number, step, reveal }));
        }
        rows.push(NewBatchRow { number, fields: row.fields, reveal: Some(reveal), kept, shared });
    }
    (rows, waterfall)
}

/// Counts the people of a row's steps, from the displayed step on, who may cost something and weren't counted with an
/// earlier row.
fn count_new_people(
    people: &BTreeMap<Provider, People>,
    steps: &[Step],
    woken: bool,
    found: &mut Found,
    loaded: &mut Loaded,
) {
    for (place, step) in steps.iter().enumerate() {
        let Some(known) = people.get(&step.provider) else { continue };
        let id = known.id(step.person);
        let asked = step.made || (woken && place == 0) || found.unclaimed.contains(&id);
        if asked && !known.state(step.person).is_finished() && found.counted.insert(id) {
            *loaded.new_people.entry(step.provider).or_default() += 1;
            loaded.lookups += i64::from(known.is_to_be_looked_up(step.person));
        }
    }
}

/// Ends rows of erased people at once, and keeps none of their fields.
pub(super) fn place_erased(
    batch: &Loading,
    erased: Vec<NewRow>,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> Vec<NewBatchRow> {
    let rows: Vec<NewBatchRow> =
        erased.into_iter().filter_map(|row| end(batch, row, totals)).collect();
    loaded.rows += rows.len() as i64;
    loaded.erased += rows.len() as i64;
    rows.into_iter().map(|row| NewBatchRow { fields: "[]".into(), ..row }).collect()
}

/// Ends rows of suppressed people at once. The export returns them with their fields.
pub(super) fn place_suppressed(
    batch: &Loading,
    suppressed: Vec<NewRow>,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> Vec<NewBatchRow> {
    let rows: Vec<NewBatchRow> =
        suppressed.into_iter().filter_map(|row| end(batch, row, totals)).collect();
    loaded.rows += rows.len() as i64;
    loaded.suppressed += rows.len() as i64;
    rows
}

/// Returns a row for which no person is asked.
fn end(batch: &Loading, row: NewRow, totals: &mut Totals) -> Option<NewBatchRow> {
    let provider = row.steps.first()?.provider;
    totals.new_rows(batch.id, provider, RevealState::Cancelled, 1);
    Some(NewBatchRow {
        number: row.number,
        fields: row.fields,
        reveal: None,
        kept: None,
        shared: 0,
    })
}

/// Changes in the ownership of people who were known before.
pub(super) struct Reassigned {
    /// Whether people were taken over from a batch that still loads.
    pub(super) taken_over: bool,
    /// Whether this batch may become the owner of people once it is published. Until then it takes no person from a
    /// published batch.
    pub(super) due: bool,
}

/// Takes over people from batches that still load.
pub(super) async fn take_over(
    conn: &mut Conn,
    batch: &Loading,
    people: &BTreeMap<Provider, People>,
    new_rows: &[NewBatchRow],
) -> Result<Reassigned> {
    let mut reassigned = Reassigned { taken_over: false, due: false };
    let shown: HashSet<i64> =
        new_rows.iter().filter(|r| r.shared == 1).filter_map(|r| r.reveal).collect();
    for (provider, known) in people {
        reassigned.due |=
            known.merges() || is_any_slower(conn, batch, *provider, &known.owners(&shown)).await?;
        if !known.taken_over().is_empty() {
            reassigned.taken_over = true;
            conn.execute(
                "UPDATE reveals SET unclaimed = 0, owner = $2 WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
                &[&Ints::of(known.taken_over()), &batch.id],
            )
            .await?;
        }
    }
    Ok(reassigned)
}

/// Returns whether any owning batch is served later than this batch will be. Such a batch has a lower priority, or won't
/// send its people itself.
async fn is_any_slower(
    conn: &mut Conn,
    batch: &Loading,
    provider: Provider,
    owners: &HashMap<i64, i64>,
) -> Result<bool> {
    let others: HashSet<i64> =
        owners.values().copied().filter(|owner| *owner != batch.id).collect();
    if others.is_empty() {
        return Ok(false);
    }
    let slower: Option<(i64,)> = conn
        .fetch_optional(
            "SELECT b.id FROM IDS($1) AS e JOIN batches b ON b.id = e.value
             LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $2
             WHERE b.priority < $3 OR b.cancelled_at IS NOT NULL OR t.at_ceiling = 1 LIMIT 1",
            &[&Ints::of(&others), &provider.as_str(), &batch.priority],
        )
        .await?;
    Ok(slower.is_some())
}

/// Returns the other batches that still load and may never be published.
pub(super) async fn others_that_load(conn: &mut Conn, batch: &Loading) -> Result<HashSet<i64>> {
    let loading: Vec<(i64,)> = conn
        .fetch_all("SELECT id FROM batches WHERE published_at IS NULL AND id <> $1", &[&batch.id])
        .await?;
    Ok(loading.into_iter().map(|(id,)| id).collect())
}

/// A step of a row's waterfall with the person found or made.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) provider: Provider,
    pub(super) person: Place,
    /// Whether the row is the first that names the person.
    pub(super) made: bool,
}
