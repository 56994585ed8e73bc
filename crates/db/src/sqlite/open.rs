//! Opening a SQLite database, which other processes may be opening, too.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::attached::Attached;
use crate::backend::Backend;
use crate::conn::Conn;
use crate::error::{DbError, Result};
use crate::redacted_url::redacted_url;
use crate::schema::Schema;
use crate::signals::Changes;
use crate::sqlite::checkpoint;
use crate::sqlite::checkpoint::Checkpoints;
use crate::sqlite::connection::{Readers, Sqlite, WRITER_CACHE_KIB};
use crate::sqlite::files::sqlite_file;
use crate::sqlite::write_lock::WriteLock;
use crate::sqlite::writer::Writer;
use crate::unusable;

/// How long a database that another process is setting up is waited for.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);

/// Opens the file; where it is missing, creates it if `create` says so. Several processes may do so at once: the second finds it
/// locked for a moment, also where SQLite doesn't wait by itself, or finds a table that was missing just now.
pub(crate) async fn open_sqlite(
    url: &str,
    schema: &'static Schema,
    create: bool,
    migrate: bool,
    changes: &Changes,
    attached: &Attached,
) -> Result<Backend> {
    let file = sqlite_file(url).ok_or_else(|| DbError::Url { url: redacted_url(url) })?;
    if !file.exists() {
        if !create {
            return Err(DbError::Missing { place: file.display().to_string() });
        }
        create_private(&file)
            .map_err(|error| unusable::sqlite(&file, DbError::shared(&error.to_string())))?;
    }
    let opened = open_patiently(&file, schema, migrate, changes, attached).await;
    opened.map_err(|error| unusable::sqlite(&file, error))
}

/// The file may hold personal data, so only its owner may read it, whatever the umask says. SQLite gives its companions the
/// same mode.
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
    schema: &'static Schema,
    migrate: bool,
    changes: &Changes,
    attached: &Attached,
) -> Result<Backend> {
    let started = Instant::now();
    let mut migrations = 0;
    loop {
        let error = match open_once(file, schema, migrate, changes, attached).await {
            Ok(backend) => return Ok(backend),
            Err(error) => error,
        };
        let again = match &error {
            error if error.is_locked() => true,
            DbError::Migrate(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) => {
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
    schema: &'static Schema,
    migrate: bool,
    changes: &Changes,
    attached: &Attached,
) -> Result<Backend> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("secure_delete", "ON")
        // Migrating and the switch to WAL want the lock at a moment when another process may start, too.
        .busy_timeout(OPENING_PATIENCE);
    let first = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    if migrate {
        schema.sqlite.run(&first).await?;
    }
    let conn = Sqlite::open(path, WRITER_CACHE_KIB)?.checked_by(schema);
    checkpoint::watch(&conn.conn);
    let conn = Conn::sqlite(conn).with_attached(attached);
    let writer =
        Writer::start(conn, WriteLock::of(path), Checkpoints::start(path)?, changes.clone())?;
    // Closed only now: the last connection that closes removes the log, and the next one would create it again.
    first.close().await;
    Ok(Backend::Sqlite { writer, readers: Readers::of(path.to_owned(), schema) })
}
