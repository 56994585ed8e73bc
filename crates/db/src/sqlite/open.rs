//! Opening a SQLite database, which other processes may be opening, too.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::attached::Attached;
use crate::backend::Backend;
use crate::conn::Conn;
use crate::error::{DbError, Failure, Result};
use crate::redacted_url::redacted_url;
use crate::schema::Schema;
use crate::signals::Changes;
use crate::sqlite::checkpoint;
use crate::sqlite::checkpoint::Checkpoints;
use crate::sqlite::connection::{Readers, Sqlite, WRITER_CACHE_KIB};
use crate::sqlite::files::sqlite_file;
use crate::sqlite::migrate;
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
    loop {
        let error = match open_once(file, schema, migrate, changes, attached).await {
            Ok(backend) => return Ok(backend),
            Err(error) => error,
        };
        if !error.is_locked() || started.elapsed() > OPENING_PATIENCE {
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
    let first = {
        let path = path.to_owned();
        let opening = tokio::task::spawn_blocking(move || open_first(&path, schema, migrate));
        opening.await.map_err(|_| Failure::Closed)??
    };
    let conn = Sqlite::open(path, WRITER_CACHE_KIB)?.checked_by(schema);
    checkpoint::watch(&conn.conn);
    let conn = Conn::sqlite(conn).with_attached(attached);
    let writer =
        Writer::start(conn, WriteLock::of(path), Checkpoints::start(path)?, changes.clone())?;
    // Closed only now: the last connection that closes removes the log, and the next one would create it again.
    drop(first);
    Ok(Backend::Sqlite { writer, readers: Readers::of(path.to_owned(), schema) })
}

/// Opens the file, switches it to a write-ahead log, and migrates it. Both want the lock, at a moment when another process may
/// start, too.
fn open_first(path: &Path, schema: &Schema, migrated: bool) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(OPENING_PATIENCE)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
    )?;
    if migrated {
        migrate::migrate(&mut conn, &schema.sqlite)?;
    }
    Ok(conn)
}
