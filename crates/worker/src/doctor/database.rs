use jobs::Clock;
use store::{DbError, Stamp, Store, StoreError};

use super::report::Check;
use crate::config::Config;

const NAME: &str = "database";

/// More old versions of the gates than this show that a transaction stays open. Without one there are at most
/// some hundreds.
const MOST_OLD_VERSIONS: i64 = 2_000;

const END_TRANSACTIONS: &str = "end the transaction that is open longest (SELECT pid, xact_start FROM pg_stat_activity \
    ORDER BY xact_start), and read long reports from a replica; leave autovacuum on";

/// Opens the database as a worker would, and writes to it: the stamp and the keys that a worker
/// would make at its first start.
pub(super) async fn check(config: &Config) -> (Vec<Check>, Option<Store>) {
    match open(config).await {
        Ok(store) => {
            let kind = if store.is_postgres() { "Postgres" } else { "SQLite" };
            let stamp = if config.sandbox { "sandbox" } else { "live" };
            let schema = if config.no_migrate { "readable" } else { "up to date" };
            let message =
                format!("{kind} is reachable and writable, its schema {schema}, stamped {stamp}");
            let mut checks = vec![Check::ok(NAME, message)];
            checks.extend(old_versions(&store).await);
            (checks, Some(store))
        }
        Err(error) => (vec![explain(config, &error)], None),
    }
}

async fn open(config: &Config) -> Result<Store, StoreError> {
    let store = Store::connect(config.database(), !config.no_migrate, Clock::system()).await?;
    store.settings().stamp(if config.sandbox { Stamp::Sandbox } else { Stamp::Live }).await?;
    // Read through a view, so that a schema without views is noticed, too.
    store.reports().provider_status().await?;
    Ok(store)
}

/// Warns if Postgres can't remove old row versions.
async fn old_versions(store: &Store) -> Option<Check> {
    let kept = store.reports().old_gate_versions().await.ok().flatten()?;
    (kept > MOST_OLD_VERSIONS).then(|| {
        let message =
            format!("Postgres keeps {kept} old versions of two rows that every request reads");
        Check::warning(NAME, message, END_TRANSACTIONS)
    })
}

fn explain(config: &Config, error: &StoreError) -> Check {
    let fix = match error {
        StoreError::Database(DbError::Unusable { found, advice }) => {
            return Check::wrong(NAME, found, advice);
        }
        StoreError::Stamp { .. } if config.sandbox => {
            "leave DATABASE_URL unset, or name a database for the sandbox alone"
        }
        StoreError::Stamp { .. } => "set DATABASE_URL to a database that the sandbox never used",
        StoreError::Database(DbError::Url { .. }) => {
            "set DATABASE_URL to sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
        }
        StoreError::Database(DbError::Migrate(_)) => {
            "install the newer version that made this schema"
        }
        _ if config.no_migrate => {
            "let it migrate once (enqueue migrate); if that fails, it says why"
        }
        _ => {
            "see that the database is one of this software and that its disk is sound; else restore a backup"
        }
    };
    Check::wrong(NAME, error.to_string(), fix)
}
