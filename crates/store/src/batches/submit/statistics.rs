//! Refreshes the statistics of the Postgres planner after a batch is loaded.

use crate::error::Result;
use crate::store::Store;

/// Batches of at least this many rows change which query plans are best.
const LARGE: i64 = 10_000;

impl Store {
    /// Has Postgres take a small sample of what a large batch brought. It would look by itself about a
    /// minute later; until then it takes a million rows for a few, and whoever asks for the status waits for
    /// seconds. A tenth of its usual sample is enough: autovacuum takes the rest. SQLite plans without.
    pub(super) async fn refresh_statistics(&self, rows: i64) {
        if rows < LARGE || !self.is_postgres() {
            return;
        }
        let refreshed: Result<()> = self
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
