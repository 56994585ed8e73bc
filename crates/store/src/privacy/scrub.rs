//! Makes sure that erased and purged texts are in no file of the database that this software controls, and not in a
//! server's statistics.

use std::sync::Arc;

use db::{Conn, Scrubbed, Texts, Traces};

use crate::error::Result;
use crate::people::links::still_known::still_known;
use crate::privacy::Privacy;

/// A table with columns by which people are looked up. The planner needs statistics of these columns, which hold some of
/// their values; all other columns with personal data have no statistics (see `migrations/postgres`). Postgres keeps the old
/// statistics of an empty table. So while they are taken, the table has a row that names no person and that no other
/// transaction sees.
struct LookedUp {
    if_empty: &'static str,
    analyze: &'static str,
    then: &'static str,
}

const LOOKED_UP: [LookedUp; 3] = [
    LookedUp {
        if_empty: "INSERT INTO reveals (id, provider, subject, state, updated_at)
                   SELECT 0, '', '', 'cancelled', 0 WHERE NOT EXISTS (SELECT /* scan */ 1 FROM reveals)",
        analyze: "ANALYZE reveals (subject)",
        then: "DELETE FROM reveals WHERE id = 0",
    },
    LookedUp {
        if_empty: "INSERT INTO identity_links (identifier, other)
                   SELECT '', '' WHERE NOT EXISTS (SELECT /* scan */ 1 FROM identity_links)",
        analyze: "ANALYZE identity_links (identifier, other)",
        then: "DELETE FROM identity_links WHERE identifier = '' AND other = ''",
    },
    LookedUp {
        if_empty: "INSERT INTO identity_splits (identifier, other)
                   SELECT '', '' WHERE NOT EXISTS (SELECT /* scan */ 1 FROM identity_splits)",
        analyze: "ANALYZE identity_splits (identifier, other)",
        then: "DELETE FROM identity_splits WHERE identifier = '' AND other = ''",
    },
];

/// How often statistics are collected at most.
const TRIES: usize = 3;

impl Privacy<'_> {
    /// Looks for texts of deleted rows where the database may still hold them, and removes them: from the log and the unused
    /// parts of a SQLite file, which is rewritten if necessary, and from the statistics of Postgres.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn scrub(self, traces: Traces) -> Result<Scrubbed> {
        if traces.is_empty() {
            return Ok(Scrubbed::Clean);
        }
        let traces = Arc::new(traces);
        match self.store.db.scrub_file(Arc::clone(&traces)).await? {
            Some(scrubbed) => Ok(scrubbed),
            None => self.clean_statistics(&traces).await,
        }
    }

    /// Takes the statistics again until they hold no deleted text. A sample that autovacuum began before ours and wrote after
    /// ours would bring such a text back.
    async fn clean_statistics(self, traces: &Traces) -> Result<Scrubbed> {
        for _ in 0..TRIES {
            self.refresh_samples().await?;
            let mut conn = self.store.db.read().await?;
            if traces.texts().is_none() || !are_in_statistics(&mut conn, traces).await? {
                return Ok(Scrubbed::Clean);
            }
        }
        Ok(Scrubbed::InStatistics)
    }

    /// Takes the statistics of each table in its own transaction, so that no table is locked for longer than its own sample
    /// takes.
    async fn refresh_samples(self) -> Result<()> {
        for table in &LOOKED_UP {
            self.store
                .db
                .write(move |conn| {
                    Box::pin(async move {
                        for statement in [table.if_empty, table.analyze, table.then] {
                            conn.execute(statement, &[]).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(())
    }
}

/// Returns whether statistics hold a text that no row of their tables holds. A person may have been submitted again
/// meanwhile, so a text that a row holds doesn't count.
async fn are_in_statistics(conn: &mut Conn, traces: &Traces) -> Result<bool> {
    let found: Vec<(String,)> = conn
        .fetch_all(
            "SELECT DISTINCT e.value FROM TEXTS($1) AS e JOIN pg_stats s
              ON s.tablename IN ('reveals', 'identity_links', 'identity_splits')
             AND (e.value = ANY (CAST(CAST(s.most_common_vals AS text) AS text[]))
                  OR e.value = ANY (CAST(CAST(s.histogram_bounds AS text) AS text[])))",
            &[&Texts::of(traces.iter())],
        )
        .await?;
    let known = still_known(conn, found.iter().map(|(text,)| text.as_str()).collect());
    Ok(known.await?.len() < found.len())
}
