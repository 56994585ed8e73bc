//! Writes the differences of a transaction into `batch_totals` and `batches`.

use db::{Conn, json, record};
use jobs::{Provider, Timestamp};
use serde::Serialize;

use crate::error::Result;
use crate::reveals::counters::{ProviderDelta, Totals, log_end};

record! {
    /// A batch whose counts were written.
    struct Written {
        id: i64,
        batch_id: String,
        total: i64,
        finished_at: Option<i64>,
    }
}

impl Totals {
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
