//! Refreshes the statistics of the Postgres planner after a batch is loaded.

use crate::batches::Batches;
use crate::error::Result;

/// Batches of at least this many rows change which query plans are best.
const LARGE: i64 = 10_000;

impl Batches<'_> {
    /// Makes Postgres sample the rows of a large batch. Autovacuum would do so about a minute later. Until then the planner
    /// takes a million rows for a few, and a query of the status takes seconds. A tenth of the usual sample is enough, since
    /// autovacuum takes the full one later. SQLite plans without these statistics.
    pub(super) async fn refresh_statistics(self, rows: i64) {
        if rows < LARGE || !self.store.is_postgres() {
            return;
        }
        let refreshed: Result<()> = self
            .store
            .db
            .write(|conn| {
                Box::pin(async move {
                    conn.execute("SET LOCAL default_statistics_target = 10", &[]).await?;
                    conn.execute("ANALYZE (SKIP_LOCKED) reveals, batch_rows", &[]).await?;
                    Ok(())
                })
            })
            .await;
        // The batch is published and is processed in any case.
        if let Err(error) = refreshed {
            tracing::debug!(%error, "no statistics were taken");
        }
    }
}
