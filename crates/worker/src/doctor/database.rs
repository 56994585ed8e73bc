use jobs::Clock;
use store::{Stamp, Store, StoreError};

use super::report::Check;
use super::unusable::{self, Closer};
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
        Err(error) => (vec![judge(config, &error).await], None),
    }
}

async fn open(config: &Config) -> Result<Store, StoreError> {
    if config.database().contains(":memory:") {
        let found = "a database in memory, which forgets what was paid for".to_owned();
        return Err(StoreError::Conflict(found));
    }
    let store = Store::connect(config.database(), !config.no_migrate, Clock::system()).await?;
    store.stamp(if config.sandbox { Stamp::Sandbox } else { Stamp::Live }).await?;
    // Read through a view, so that a schema without views is noticed, too.
    store.provider_status().await?;
    Ok(store)
}

async fn judge(config: &Config, error: &StoreError) -> Check {
    let mend = match error {
        StoreError::Stamp { .. } if config.sandbox => {
            "leave DATABASE_URL unset, or name a database for the sandbox alone"
        }
        StoreError::Stamp { .. } => "set DATABASE_URL to a database that the sandbox never used",
        StoreError::Url { .. } | StoreError::Conflict(_) => {
            "set DATABASE_URL to sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
        }
        StoreError::Migrate(_) => {
            "let the owner of the database run enqueue migrate; if a migration is missing, install the newer version that made this schema"
        }
        _ => return look_closer(config, error).await,
    };
    Check::wrong(NAME, error.to_string(), mend)
}

async fn look_closer(config: &Config, error: &StoreError) -> Check {
    let words = error.to_string();
    let Closer { found, mut mend } = match unusable::sqlite_file(config.database()) {
        Some(file) => unusable::sqlite(&file),
        None => unusable::postgres(config.database(), &words).await,
    };
    if config.no_migrate && found.is_none() {
        mend = "let it migrate once (enqueue migrate); if that fails, it says why".to_owned();
    }
    Check::wrong(NAME, found.unwrap_or(words), mend)
}
