//! Opening a SQLite database, which other processes may be opening, too.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::changes::Changes;
use crate::checkpoint::{self, Checkpoints};
use crate::conn::Conn;
use crate::connect::Backend;
use crate::passed::Passed;
use crate::sqlite::{Readers, Sqlite, WRITER_CACHE_KIB};
use crate::turn::Turns;
use crate::writer::Writer;
use crate::{Result, StoreError};

/// How long a database that another process is setting up is waited for.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Opens the file, and creates it where it is missing. Several processes may do so at once: who comes second finds it
/// locked for a moment, also where SQLite doesn't wait by itself, or a table there that was missing just now.
pub(crate) async fn open_sqlite(
    url: &str,
    migrate: bool,
    changes: &Changes,
    passed: &Passed,
) -> Result<Backend> {
    let started = Instant::now();
    let mut migrations = 0;
    loop {
        let error = match open_once(url, migrate, changes, passed).await {
            Ok(backend) => return Ok(backend),
            Err(error) => error,
        };
        let again = match &error {
            error if error.is_locked() => true,
            StoreError::Migrate(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) => {
                migrations += 1;
                migrations <= 3
            }
            _ => false,
        };
        if !again || started.elapsed() > OPENING_PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(20..100))).await;
    }
}

async fn open_once(
    url: &str,
    migrate: bool,
    changes: &Changes,
    passed: &Passed,
) -> Result<Backend> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| StoreError::Url { url: url.to_owned() })?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Migrating and the switch to WAL want the lock at a moment when another process may start, too.
        .busy_timeout(OPENING_PATIENCE);
    let first = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    if migrate {
        SQLITE_MIGRATIONS.run(&first).await?;
    }
    let path = options.get_filename();
    let conn = Sqlite::open(path, WRITER_CACHE_KIB)?;
    checkpoint::watch(&conn.conn);
    let conn = Conn::sqlite(conn).with_passed(passed);
    let writer = Writer::start(conn, Turns::of(path), Checkpoints::start(path)?, changes.clone())?;
    // Only now: whoever closes a file last puts its log away, and the next one sets it up again.
    first.close().await;
    Ok(Backend::Sqlite { writer, readers: Readers::of(path.to_owned()) })
}
