//! Writes the differences of a transaction into `batch_totals` and `batches`.

use db::bulk::{fetch_for_rows, ints, same, words, write_rows};
use db::{Conn, Ints, record};
use jobs::Timestamp;

use crate::error::Result;
use crate::reveals::counters::{BatchDelta, ProviderDelta, Totals, log_end};

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
        let deltas = &self.providers;
        let column = |of: fn(&ProviderDelta) -> i64| ints(deltas.values().map(of));
        let columns = vec![
            ("batch", ints(deltas.keys().map(|(batch, _)| *batch))),
            ("provider", words(deltas.keys().map(|(_, provider)| Some(provider.as_str())))),
            ("queued", column(|delta| delta.queued)),
            ("asked", column(|delta| delta.asked)),
            ("retrying", column(|delta| delta.retrying)),
            ("found", column(|delta| delta.found)),
            ("not_found", column(|delta| delta.not_found)),
            ("failed", column(|delta| delta.failed)),
            ("expired", column(|delta| delta.expired)),
            ("cancelled", column(|delta| delta.cancelled)),
            ("people_asked", column(|delta| delta.people_asked)),
            ("people_found", column(|delta| delta.people_found)),
            ("people_not_found", column(|delta| delta.people_not_found)),
            ("reserved", column(|delta| delta.reserved.thousandths())),
            ("spent", column(|delta| delta.spent.thousandths())),
            ("written_off", column(|delta| delta.written_off.thousandths())),
            ("served", column(|delta| delta.served)),
            ("looked_up", column(|delta| delta.looked_up.thousandths())),
        ];
        // Purged batches are left out: a call that also had members of other batches may still name one.
        write_rows(
            conn,
            "INSERT INTO batch_totals (batch_id, provider, queued, asked, retrying, found,
                not_found, failed, expired, cancelled, people_asked, people_found, people_not_found, credits_reserved, credits_spent, written_off, served, credits_looked_up)
             SELECT e.batch, e.provider, e.queued, e.asked, e.retrying, e.found,
                e.not_found, e.failed, e.expired, e.cancelled, e.people_asked, e.people_found, e.people_not_found, e.reserved, e.spent, e.written_off, e.served, e.looked_up
             FROM ROWS WHERE EXISTS (SELECT 1 FROM batches b WHERE b.id = e.batch)
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
            columns,
        )
        .await?;
        Ok(())
    }

    async fn flush_batches(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let changed = self.batches.iter().filter(|(_, d)| d.total != 0 || d.unfinished != 0);
        let changed: Vec<(i64, &BatchDelta)> = changed.map(|(&id, delta)| (id, delta)).collect();
        if changed.len() > 1 {
            // The update below locks its rows in an order that the planner chooses, so they are locked in order here. New rows
            // of `batch_totals` hold a lock on their batch's key, which this query must not wait for.
            let _: Vec<(i64,)> = conn
                .fetch_all(
                    "SELECT id FROM batches WHERE id IN (SELECT e.value FROM IDS($1) AS e)
                     ORDER BY id FOR NO KEY UPDATE",
                    &[&Ints::of(changed.iter().map(|(id, _)| id))],
                )
                .await?;
        }
        let columns = vec![
            ("id", ints(changed.iter().map(|(id, _)| *id))),
            ("total", ints(changed.iter().map(|(_, delta)| delta.total))),
            ("unfinished", ints(changed.iter().map(|(_, delta)| delta.unfinished))),
            ("now", same(now.0, changed.len())),
        ];
        let written: Vec<Written> = fetch_for_rows(
            conn,
            "UPDATE batches SET total = batches.total + e.total, unfinished = batches.unfinished + e.unfinished,
                finished_at = CASE WHEN published_at IS NULL OR batches.unfinished + e.unfinished > 0
                                   THEN NULL ELSE e.now END
             FROM ROWS WHERE batches.id = e.id
             RETURNING batches.id AS id, batches.batch_id AS batch_id, batches.total AS total,
                batches.finished_at AS finished_at",
            columns,
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
