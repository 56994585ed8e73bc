//! Which reveal each row shows, and in whose turn it is asked.

use std::collections::{BTreeMap, HashSet};

use jobs::{Provider, RevealState};

use super::load::Resolved;
use super::rows::{NewBatchRow, RowStep};
use super::{Loaded, Loading, NewRow};
use crate::Result;
use crate::conn::{Conn, exec, rows};
use crate::resolve::People;
use crate::totals::{Totals, json};

/// Decides which reveal each row shows, and wakes those that nobody waited for so far.
pub(super) fn place_rows(
    people: &mut BTreeMap<Provider, People>,
    batch: &Loading,
    resolved: Vec<Resolved>,
    counted: &HashSet<i64>,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> (Vec<NewBatchRow>, Vec<RowStep>) {
    let (mut rows, mut waterfall) = (Vec::with_capacity(resolved.len()), Vec::new());
    let mut paid_by_earlier = counted.clone();
    for row in resolved {
        let steps: Vec<(Provider, i64, bool)> = row
            .steps
            .into_iter()
            .map(|(provider, id, new)| {
                let settled = people.get(&provider).map_or(id, |known| known.settled_id(id));
                (provider, settled, new && settled == id)
            })
            .collect();
        let shown = shown_step(people, &steps);
        let Some(&(provider, reveal, _)) = steps.get(shown) else { continue };
        let mut woken = false;
        if let Some(known) = people.get_mut(&provider) {
            woken = known.queue(reveal, batch.id);
            totals.new_rows(batch.id, provider, known.state(reveal), 1);
        }
        for &(provider, id, made) in &steps[shown..] {
            let asked = people.get(&provider).is_some_and(|known| !known.state(id).is_finished());
            if (made || (woken && id == reveal)) && asked && paid_by_earlier.insert(id) {
                *loaded.new_people.entry(provider).or_default() += 1;
            }
        }
        loaded.rows += 1;
        // The row that has somebody asked who waited for nobody so far pays; all others share.
        let shared = i64::from(!woken);
        loaded.shared += shared;
        if steps.len() > 1 {
            let number = row.number;
            waterfall.extend((0..).zip(&steps).map(|(step, &(_, reveal, _))| RowStep {
                number,
                step,
                reveal,
            }));
        }
        rows.push(NewBatchRow {
            number: row.number,
            fields: row.fields,
            reveal: Some(reveal),
            shared,
            ended: None,
        });
    }
    (rows, waterfall)
}

/// The first step that is found, else the first that a waterfall would stop at, else the last.
pub(super) fn shown_step(
    people: &BTreeMap<Provider, People>,
    steps: &[(Provider, i64, bool)],
) -> usize {
    let state = |&(provider, id, _): &(Provider, i64, bool)| {
        people.get(&provider).map_or(RevealState::Idle, |known| known.state(id))
    };
    steps
        .iter()
        .position(|step| state(step) == RevealState::Found)
        .or_else(|| {
            steps.iter().position(|step| {
                !matches!(state(step), RevealState::NotFound | RevealState::Failed)
            })
        })
        .unwrap_or(steps.len().saturating_sub(1))
}

/// Rows of people who were erased end at once; of their fields nothing is kept.
pub(super) fn place_erased(
    batch: &Loading,
    erased: Vec<NewRow>,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> Vec<NewBatchRow> {
    erased
        .into_iter()
        .filter_map(|row| {
            let provider = row.steps.first()?.provider;
            totals.new_rows(batch.id, provider, RevealState::Cancelled, 1);
            loaded.rows += 1;
            loaded.erased += 1;
            Some(NewBatchRow {
                number: row.number,
                fields: "[]".into(),
                reveal: None,
                shared: 0,
                ended: Some("erased"),
            })
        })
        .collect()
}

/// A person who is queued in another batch's turn comes over to this one's where that is sooner:
/// a higher priority, or a batch that will not send them itself.
pub(super) async fn adopt_lanes(
    conn: &mut Conn,
    batch: &Loading,
    people: &BTreeMap<Provider, People>,
    new_rows: &[NewBatchRow],
) -> Result<()> {
    let shown: HashSet<i64> =
        new_rows.iter().filter(|r| r.shared == 1).filter_map(|r| r.reveal).collect();
    for (provider, known) in people {
        let lanes = known.lanes(&shown);
        let others: HashSet<i64> =
            lanes.values().copied().filter(|lane| *lane != batch.id).collect();
        if others.is_empty() {
            continue;
        }
        let slower: Vec<(i64,)> = rows!(
            conn,
            "SELECT b.id FROM IDS($1) AS e JOIN batches b ON b.id = CAST(e.value AS BIGINT)
             LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $2
             WHERE b.priority < $3 OR b.cancelled_at IS NOT NULL OR b.published_at IS NULL OR t.at_ceiling = 1",
            json(&others),
            provider.as_str(),
            batch.priority,
        )?;
        let slower: HashSet<i64> = slower.into_iter().map(|(id,)| id).collect();
        let moving: Vec<i64> =
            lanes.iter().filter(|(_, lane)| slower.contains(lane)).map(|(id, _)| *id).collect();
        if !moving.is_empty() {
            exec!(
                conn,
                "UPDATE reveals SET lane = $2 WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
                json(&moving),
                batch.id,
            )?;
        }
    }
    Ok(())
}
