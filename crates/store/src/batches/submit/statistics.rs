//! Statistics for Postgres' planner of a batch that was just loaded.

use crate::error::Result;
use crate::store::Store;

/// Batches of so many rows change what queries are best planned by.
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
        // The batch is there and is worked off all the same.
        if let Err(error) = refreshed {
            tracing::debug!(%error, "no statistics were taken");
        }
    }
}
