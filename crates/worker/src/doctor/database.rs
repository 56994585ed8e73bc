use jobs::Clock;
use store::{DbError, Stamp, Store, StoreError};

use super::report::Check;
use crate::config::Config;

const NAME: &str = "database";

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
            (vec![Check::ok(NAME, message)], Some(store))
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
