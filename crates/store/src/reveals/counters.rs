//! The counts that the views show. They are kept as differences and written once, at the end of each transaction. All
//! transactions write them in the same order, so that no two of them deadlock.

pub(crate) mod write;

use std::collections::BTreeMap;

use db::{Conn, Ints, record};
use jobs::{Credits, Provider, RevealState};

use crate::decode::parse_state;
use crate::error::Result;

/// The changes to `batch_totals` and `batches`.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    providers: BTreeMap<(i64, Provider), ProviderDelta>,
    batches: BTreeMap<i64, BatchDelta>,
}

#[derive(Debug, Default, Clone)]
struct ProviderDelta {
    queued: i64,
    asked: i64,
    retrying: i64,
    found: i64,
    not_found: i64,
    failed: i64,
    expired: i64,
    cancelled: i64,
    people_asked: i64,
    people_found: i64,
    people_not_found: i64,
    served: i64,
    reserved: Credits,
    spent: Credits,
    written_off: Credits,
    looked_up: Credits,
}

#[derive(Debug, Default, Clone)]
struct BatchDelta {
    total: i64,
    unfinished: i64,
}

impl ProviderDelta {
    fn count(&mut self, state: RevealState) -> Option<&mut i64> {
        Some(match state {
            RevealState::Idle => return None,
            RevealState::Queued => &mut self.queued,
            RevealState::Asked => &mut self.asked,
            RevealState::Retrying => &mut self.retrying,
            RevealState::Found => &mut self.found,
            RevealState::NotFound => &mut self.not_found,
            RevealState::Failed => &mut self.failed,
            RevealState::Expired => &mut self.expired,
            RevealState::Cancelled => &mut self.cancelled,
        })
    }
}

impl Totals {
    /// Counts `n` new rows of `batch` that show `state` at `provider`.
    pub(crate) fn new_rows(&mut self, batch: i64, provider: Provider, state: RevealState, n: i64) {
        self.batches.entry(batch).or_default().total += n;
        self.add(batch, provider, state, n);
    }

    /// Counts `n` rows of `batch` as showing `to` instead of `from`.
    pub(crate) fn moved(
        &mut self,
        batch: i64,
        (from_provider, from): (Provider, RevealState),
        (to_provider, to): (Provider, RevealState),
        n: i64,
    ) {
        self.add(batch, from_provider, from, -n);
        self.add(batch, to_provider, to, n);
    }

    /// Returns by how much the count of cancelled rows of `batch` grows.
    pub(crate) fn cancelled(&self, batch: i64) -> i64 {
        let of_batch = self.providers.iter().filter(|((of, _), _)| *of == batch);
        of_batch.map(|(_, delta)| delta.cancelled).sum()
    }

    fn add(&mut self, batch: i64, provider: Provider, state: RevealState, n: i64) {
        if let Some(count) = self.provider(batch, provider).count(state) {
            *count += n;
        }
        // A row shows an idle reveal only for a moment, on its way to another unfinished state.
        if !state.is_finished() && state != RevealState::Idle {
            self.batches.entry(batch).or_default().unfinished += n;
        }
    }

    /// Reserves credits of `batch` for `people` that it asks. Negative values release credits for people who were not asked
    /// after all.
    pub(crate) fn reserve(
        &mut self,
        batch: i64,
        provider: Provider,
        people: i64,
        credits: Credits,
    ) {
        let delta = self.provider(batch, provider);
        delta.people_asked += people;
        delta.reserved += credits;
    }

    /// Turns credits that `batch` had reserved into `spent` credits.
    pub(crate) fn spend(
        &mut self,
        batch: i64,
        provider: Provider,
        reserved: Credits,
        spent: Credits,
        found: bool,
    ) {
        let delta = self.provider(batch, provider);
        delta.reserved -= reserved;
        delta.spent += spent;
        delta.people_found += i64::from(found);
    }

    /// Turns credits that `batch` had reserved for the lookup of a person into `spent` credits.
    pub(crate) fn look_up(
        &mut self,
        batch: i64,
        provider: Provider,
        reserved: Credits,
        spent: Credits,
    ) {
        self.spend(batch, provider, reserved, spent, false);
        self.provider(batch, provider).looked_up += spent;
    }

    /// Counts how many times `batch` was served while other batches of its priority waited.
    pub(crate) fn was_served(&mut self, batch: i64, provider: Provider, times: i64) {
        self.provider(batch, provider).served += times;
    }

    /// Counts `people` of `batch` of whom the provider has no number. A negative count takes back an earlier such answer.
    pub(crate) fn not_found(&mut self, batch: i64, provider: Provider, people: i64) {
        self.provider(batch, provider).people_not_found += people;
    }

    /// Writes off credits that `batch` had reserved for a person who expired. The credits may or may not have been spent.
    pub(crate) fn write_off(&mut self, batch: i64, provider: Provider, reserved: Credits) {
        let delta = self.provider(batch, provider);
        delta.reserved -= reserved;
        delta.written_off += reserved;
    }

    /// Undoes a write-off, because a late answer shows whether the credits were spent.
    pub(crate) fn write_back(&mut self, batch: i64, provider: Provider, reserved: Credits) {
        self.write_off(batch, provider, -reserved);
    }

    fn provider(&mut self, batch: i64, provider: Provider) -> &mut ProviderDelta {
        self.providers.entry((batch, provider)).or_default()
    }
}

/// Logs that every row of a batch is finished.
pub(crate) fn log_end(batch_id: &str, rows: i64) {
    tracing::info!(batch_id, rows, "batch finished");
}

record! {
    /// How many rows of a batch show reveals in one state.
    struct CountRow {
        batch_id: i64,
        state: String,
        row_count: i64,
    }
}

/// Counts the rows that show `ids` as moving from the reveal's state to the state `to`. The reveals must be locked.
pub(crate) async fn count_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    to: RevealState,
) -> Result<()> {
    let counts: Vec<CountRow> = conn
        .fetch_all(
            "SELECT w.batch_id, r.state, COUNT(*) AS row_count FROM IDS($1) AS e
             JOIN reveals r ON r.id = e.value
             JOIN batch_rows w ON w.reveal_id = r.id AND w.ended IS NULL
             GROUP BY w.batch_id, r.state",
            &[&Ints::of(ids)],
        )
        .await?;
    for row in counts {
        let from = parse_state(&row.state, row.batch_id)?;
        totals.moved(row.batch_id, (provider, from), (provider, to), row.row_count);
    }
    Ok(())
}
