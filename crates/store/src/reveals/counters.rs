//! The counts that the views show. They are kept as differences and written once, at the end of each transaction. All
//! transactions write them in the same order, so that no two of them deadlock.

use std::collections::BTreeMap;

use db::{Conn, Ints, json, record};
use jobs::{Credits, Provider, RevealState, Timestamp};
use serde::{Serialize, Serializer};

use crate::decode::parse_state;
use crate::error::Result;

record! {
    /// A batch whose counts were written.
    struct Written {
        id: i64,
        batch_id: String,
        total: i64,
        finished_at: Option<i64>,
    }
}

/// The changes to `batch_totals` and `batches`.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    providers: BTreeMap<(i64, Provider), ProviderDelta>,
    batches: BTreeMap<i64, BatchDelta>,
}

#[derive(Debug, Default, Clone, Serialize)]
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
    #[serde(serialize_with = "thousandths")]
    reserved: Credits,
    #[serde(serialize_with = "thousandths")]
    spent: Credits,
    #[serde(serialize_with = "thousandths")]
    written_off: Credits,
    #[serde(serialize_with = "thousandths")]
    looked_up: Credits,
}

/// Serializes credits as columns hold them, in thousandths.
fn thousandths<S: Serializer>(
    credits: &Credits,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_i64(credits.thousandths())
}

#[derive(Debug, Default, Clone, Serialize)]
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

    /// Counts how many times `batch` was served beside other batches of its priority.
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

    /// Undoes a write-off, since a late answer tells whether the credits were spent.
    pub(crate) fn write_back(&mut self, batch: i64, provider: Provider, reserved: Credits) {
        self.write_off(batch, provider, -reserved);
    }

    fn provider(&mut self, batch: i64, provider: Provider) -> &mut ProviderDelta {
        self.providers.entry((batch, provider)).or_default()
    }

    /// Writes the differences.
    pub(crate) async fn flush(self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        self.flush_providers(conn).await?;
        self.flush_batches(conn, now).await
    }

    async fn flush_providers(&self, conn: &mut Conn) -> Result<()> {
        #[derive(Serialize)]
        struct Row<'a> {
            batch: i64,
            provider: Provider,
            #[serde(flatten)]
            delta: &'a ProviderDelta,
        }
        let rows: Vec<Row> = self
            .providers
            .iter()
            .map(|(&(batch, provider), delta)| Row { batch, provider, delta })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        // The join leaves out purged batches: a call that also had members of other batches may still name one.
        conn.execute(
            "INSERT INTO batch_totals (batch_id, provider, queued, asked, retrying, found,
                not_found, failed, expired, cancelled, people_asked, people_found, people_not_found, credits_reserved, credits_spent, written_off, served, credits_looked_up)
             SELECT CAST(e.value->>'batch' AS BIGINT), e.value->>'provider',
                CAST(e.value->>'queued' AS BIGINT), CAST(e.value->>'asked' AS BIGINT), CAST(e.value->>'retrying' AS BIGINT),
                CAST(e.value->>'found' AS BIGINT), CAST(e.value->>'not_found' AS BIGINT),
                CAST(e.value->>'failed' AS BIGINT), CAST(e.value->>'expired' AS BIGINT),
                CAST(e.value->>'cancelled' AS BIGINT), CAST(e.value->>'people_asked' AS BIGINT),
                CAST(e.value->>'people_found' AS BIGINT), CAST(e.value->>'people_not_found' AS BIGINT),
                CAST(e.value->>'reserved' AS BIGINT), CAST(e.value->>'spent' AS BIGINT), CAST(e.value->>'written_off' AS BIGINT),
                CAST(e.value->>'served' AS BIGINT), CAST(e.value->>'looked_up' AS BIGINT)
             FROM EACH($1) AS e JOIN batches b ON b.id = CAST(e.value->>'batch' AS BIGINT) WHERE TRUE
             ON CONFLICT (batch_id, provider) DO UPDATE SET
                queued = batch_totals.queued + excluded.queued,
                asked = batch_totals.asked + excluded.asked,
                retrying = batch_totals.retrying + excluded.retrying,
                found = batch_totals.found + excluded.found,
                not_found = batch_totals.not_found + excluded.not_found,
                failed = batch_totals.failed + excluded.failed,
                expired = batch_totals.expired + excluded.expired,
                cancelled = batch_totals.cancelled + excluded.cancelled,
                people_asked = batch_totals.people_asked + excluded.people_asked,
                people_found = batch_totals.people_found + excluded.people_found,
                people_not_found = batch_totals.people_not_found + excluded.people_not_found,
                credits_reserved = batch_totals.credits_reserved + excluded.credits_reserved,
                credits_spent = batch_totals.credits_spent + excluded.credits_spent,
                written_off = batch_totals.written_off + excluded.written_off,
                served = batch_totals.served + excluded.served,
                credits_looked_up = batch_totals.credits_looked_up + excluded.credits_looked_up",
            &[&json(&rows)],
        )
        .await?;
        Ok(())
    }

    async fn flush_batches(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        #[derive(Serialize)]
        struct Row {
            id: i64,
            total: i64,
            unfinished: i64,
        }
        let rows: Vec<Row> = self
            .batches
            .iter()
            .filter(|(_, d)| d.total != 0 || d.unfinished != 0)
            .map(|(&id, d)| Row { id, total: d.total, unfinished: d.unfinished })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        if rows.len() > 1 {
            // The update below locks its rows in an order that the planner chooses, so they are locked in order here. New rows
            // of `batch_totals` hold a lock on their batch's key, which this query must not wait for.
            let _: Vec<(i64,)> = conn.fetch_all(
                "SELECT id FROM batches WHERE id IN (
                    SELECT CAST(e.value->>'id' AS BIGINT) FROM EACH($1) AS e) ORDER BY id FOR NO KEY UPDATE",
                &[&json(&rows)],
            )
            .await?;
        }
        let written: Vec<Written> = conn
            .fetch_all(
                "UPDATE batches SET
                    total = total + CAST(e.value->>'total' AS BIGINT),
                    unfinished = unfinished + CAST(e.value->>'unfinished' AS BIGINT),
                    finished_at = CASE WHEN published_at IS NULL
                                         OR unfinished + CAST(e.value->>'unfinished' AS BIGINT) > 0
                                       THEN NULL ELSE CAST($2 AS BIGINT) END
                 FROM EACH($1) AS e WHERE batches.id = CAST(e.value->>'id' AS BIGINT)
                 RETURNING batches.id AS id, batches.batch_id AS batch_id, batches.total AS total,
                    batches.finished_at AS finished_at",
                &[&json(&rows), &now.0],
            )
            .await?;
        for batch in written {
            let fell = self.batches.get(&batch.id).is_some_and(|delta| delta.unfinished < 0);
            if fell && batch.finished_at.is_some() {
                log_end(&batch.batch_id, batch.total);
            }
        }
        Ok(())
    }
}

/// Logs that every row of a batch is finished.
pub(crate) fn log_end(batch_id: &str, rows: i64) {
    tracing::info!(batch_id, rows, "batch finished");
}

/// Counts the rows that show `ids` as moving from the reveal's state to the state `to`. The reveals must be locked.
pub(crate) async fn count_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    to: RevealState,
) -> Result<()> {
    let counts: Vec<(i64, String, i64)> = conn
        .fetch_all(
            "SELECT w.batch_id, r.state, COUNT(*) FROM IDS($1) AS e
             JOIN reveals r ON r.id = e.value
             JOIN batch_rows w ON w.reveal_id = r.id AND w.ended IS NULL
             GROUP BY w.batch_id, r.state",
            &[&Ints::of(ids)],
        )
        .await?;
    for (batch, state, n) in counts {
        totals.moved(batch, (provider, parse_state(&state, batch)?), (provider, to), n);
    }
    Ok(())
}
