//! Bringing a schema up to date while other processes work with it.

use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;

use crate::error::Result;
use crate::postgres::pool::{pool_of, with_settings};
use crate::unusable;

/// What waits for a whole table makes all others wait behind it.
const LOCKS_BRIEFLY: [(&str, &str); 1] = [("lock_timeout", "1s")];

/// How long a migration is tried while tables are in use.
const PATIENCE: Duration = Duration::from_secs(120);

/// Applies what is missing. A migration that meets a lock, or a deadlock, lets the others go first and starts again.
pub(crate) async fn migrate(options: &PgConnectOptions, migrator: &Migrator) -> Result<()> {
    let started = Instant::now();
    loop {
        let error = match migrate_once(options, migrator).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !unusable::is_in_use(&error) || started.elapsed() > PATIENCE {
            return Err(unusable::postgres_schema(options, error));
        }
        let pause = Duration::from_millis(rand::random_range(500..2_000));
        tracing::info!(
            error = %error,
            "can't bring the schema up to date while its tables are in use; trying again"
        );
        tokio::time::sleep(pause).await;
    }
}

/// Over a connection of its own: the lock by which sqlx keeps two from migrating at once ends with it, also after an error.
async fn migrate_once(options: &PgConnectOptions, migrator: &Migrator) -> Result<(), MigrateError> {
    let pool = with_settings(pool_of(1), &LOCKS_BRIEFLY).connect_lazy_with(options.clone());
    let migrated = migrator.run(&pool).await;
    pool.close().await;
    migrated
}

#[cfg(test)]
mod tests;
