//! Opening a SQLite database, which other processes may be opening, too.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::db::attached::Attached;
use crate::db::backend::Backend;
use crate::db::conn::Conn;
use crate::db::redacted_url::shown_url;
use crate::db::signals::Changes;
use crate::db::sqlite::checkpoint;
use crate::db::sqlite::checkpoint::Checkpoints;
use crate::db::sqlite::connection::{Readers, Sqlite, WRITER_CACHE_KIB};
use crate::db::sqlite::files::sqlite_file;
use crate::db::sqlite::write_lock::Turns;
use crate::db::sqlite::writer::Writer;
use crate::db::unusable;
use crate::error::{Result, StoreError};

/// How long a database that another process is setting up is waited for.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Opens the file; where it is missing, creates it if `create` says so. Several processes may do so at once: who comes second finds it
/// locked for a moment, also where SQLite doesn't wait by itself, or a table there that was missing just now.
pub(crate) async fn open_sqlite(
    url: &str,
    create: bool,
    migrate: bool,
    changes: &Changes,
    attached: &Attached,
) -> Result<Backend> {
    let file = sqlite_file(url).ok_or_else(|| StoreError::Url { url: shown_url(url) })?;
    if !file.exists() {
        if !create {
            return Err(StoreError::Missing { place: file.display().to_string() });
        }
        create_private(&file)
            .map_err(|error| unusable::sqlite(&file, StoreError::shared(&error.to_string())))?;
    }
    let opened = open_patiently(&file, migrate, changes, attached).await;
    opened.map_err(|error| unusable::sqlite(&file, error))
}

/// Who can read the file can read people's numbers, so it is its owner's alone, whatever the umask says. SQLite gives
/// its companions the same mode.
fn create_private(file: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        // Never closed: closing any handle of a file drops all locks that its process holds on it (POSIX), those of a
        // connection that was opened meanwhile included.
        Ok(created) => std::mem::forget(created),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn open_patiently(
    file: &Path,
    migrate: bool,
    changes: &Changes,
    attached: &Attached,
) -> Result<Backend> {
    let started = Instant::now();
    let mut migrations = 0;
    loop {
        let error = match open_once(file, migrate, changes, attached).await {
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
    path: &Path,
    migrate: bool,
    changes: &Changes,
    attached: &Attached,
) -> Result<Backend> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // Migrating and the switch to WAL want the lock at a moment when another process may start, too.
        .busy_timeout(OPENING_PATIENCE);
    let first = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    if migrate {
        SQLITE_MIGRATIONS.run(&first).await?;
    }
    let conn = Sqlite::open(path, WRITER_CACHE_KIB)?;
    checkpoint::watch(&conn.conn);
    let conn = Conn::sqlite(conn).with_attached(attached);
    let writer = Writer::start(conn, Turns::of(path), Checkpoints::start(path)?, changes.clone())?;
    // Only now: whoever closes a file last puts its log away, and the next one sets it up again.
    first.close().await;
    Ok(Backend::Sqlite { writer, readers: Readers::of(path.to_owned()) })
}
