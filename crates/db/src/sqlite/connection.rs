//! One connection to a SQLite file. Statements run on the calling thread: a trip to another thread and back would cost more
//! than most of them take.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::vtab::array;
use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::bulk::columns::{Columns, parameter};
use crate::dialect::Dialect;
use crate::error::{DbError, Failure, Result};
use crate::record::{Places, Record};
use crate::schema::Schema;
use crate::sqlite::functions::nth;
use crate::sqlite::plan_check::reads_all;
use crate::sqlite::write_lock::WriteLock;

/// How many statements are kept prepared: all that a worker uses.
const PREPARED: usize = 256;

/// How many read at once.
const READERS: usize = 4;

/// How much a reader keeps of the file; the system keeps the rest.
const READER_CACHE_KIB: u32 = 8 * 1024;

/// The same for one that reads page after page of rows in an order that is not the file's: each page of the file is wanted
/// again and again.
const LARGE_CACHE_KIB: u32 = 24 * 1024;

/// How much the writer keeps of it: the pages that the next transactions change again.
pub(crate) const WRITER_CACHE_KIB: u32 = 24 * 1024;

/// How long a reader waits where SQLite has it wait: while a log is recovered after a crash.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// How long reads may take to finish when the database is closed.
const LAST_READS: Duration = Duration::from_secs(1);

/// A statement that takes longer is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// A connection.
pub struct Sqlite {
    pub(crate) conn: Connection,
    /// Held while a transaction begins.
    pub(crate) write_lock: WriteLock,
    /// Its statements run on a thread of the runtime, which must know that they block.
    shares_thread: bool,
    /// What the schema says about its tables, if statements are checked against it.
    schema: Option<&'static Schema>,
}

impl Sqlite {
    /// Opens the file for a thread of its own, with a cache of that size. A lock that another process
    /// holds is not waited for.
    pub(crate) fn open(path: &Path, cache_kib: u32) -> Result<Sqlite> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(Duration::ZERO)?;
        conn.execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA cache_size = -{cache_kib};
             PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 268435456;
             PRAGMA wal_autocheckpoint = 0;",
        ))?;
        nth(&conn)?;
        array::load_module(&conn)?;
        conn.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Sqlite { conn, write_lock: WriteLock::of(path), shares_thread: false, schema: None })
    }

    /// The same, with each statement's plan checked in debug builds.
    pub(crate) fn checked_by(self, schema: &'static Schema) -> Self {
        Sqlite { schema: Some(schema), ..self }
    }

    /// Runs a statement to its end; gives the number of rows it changed.
    pub fn exec(&mut self, sql: &'static str, params: &[&dyn ToSql]) -> Result<u64> {
        self.run(sql, |conn, sql| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while rows.next()?.is_some() {}
            Ok(conn.changes())
        })
    }

    /// Runs a statement for some rows, so many `at_once`; gives the number of rows it changed.
    pub(crate) fn exec_each(
        &mut self,
        sql: &'static str,
        rows: Range<usize>,
        at_once: usize,
        columns: &Columns,
    ) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        self.run(sql, |conn, sql| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut changed = 0;
            for first in rows.clone().step_by(at_once) {
                for row in first..first + at_once {
                    for (number, (_, column)) in columns.iter().enumerate() {
                        if let Some(value) = column.new_value(row, rows.start) {
                            let parameter = parameter(columns, row - first, number);
                            statement.raw_bind_parameter(parameter, value)?;
                        }
                    }
                }
                changed += statement.raw_execute()? as u64;
            }
            Ok(changed)
        })
    }

    /// Runs a statement for each row; gives all rows that it gives.
    pub(crate) fn rows_of_each<T: Record>(
        &mut self,
        sql: &'static str,
        rows: usize,
        columns: &Columns,
    ) -> Result<Vec<T>> {
        self.run(sql, |conn, sql| {
            let mut statement = conn.prepare_cached(sql)?;
            let (mut places, mut all) = (Places::default(), Vec::new());
            for row in 0..rows {
                for (number, (_, column)) in columns.iter().enumerate() {
                    if let Some(value) = column.new_value(row, 0) {
                        statement.raw_bind_parameter(parameter(columns, 0, number), value)?;
                    }
                }
                let mut given = statement.raw_query();
                while let Some(row) = given.next()? {
                    all.push(T::next(row, &mut places)?);
                }
            }
            Ok(all)
        })
    }

    /// All rows of a query.
    pub fn rows<T: Record>(&mut self, sql: &'static str, params: &[&dyn ToSql]) -> Result<Vec<T>> {
        self.run(sql, |conn, sql| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut places = Places::default();
            statement.query_map(params, |row| T::next(row, &mut places))?.collect()
        })
    }

    /// The first row of a query, if there is one.
    pub fn row<T: Record>(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToSql],
    ) -> Result<Option<T>> {
        self.run(sql, |conn, sql| {
            let mut statement = conn.prepare_cached(sql)?;
            statement.query(params)?.next()?.map(T::first).transpose()
        })
    }

    fn run<T>(
        &mut self,
        sql: &'static str,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let text = Dialect::Sqlite.text_of(sql);
        debug_assert_eq!(
            self.schema.and_then(|schema| reads_all(&self.conn, schema, text)),
            None,
            "{text}"
        );
        let started = Instant::now();
        let done = if self.shares_thread {
            tokio::task::block_in_place(|| work(&self.conn, text))
        } else {
            work(&self.conn, text)
        };
        let elapsed = started.elapsed();
        if elapsed > SLOW {
            tracing::warn!(?elapsed, sql, "slow statement");
        } else {
            tracing::trace!(?elapsed, sql, "statement");
        }
        Ok(done?)
    }
}

/// The system can't start another thread.
pub(crate) fn no_thread(error: std::io::Error) -> DbError {
    DbError::shared(&format!("no thread to write it by: {error}"))
}

/// Connections for reading, opened when they are needed.
#[derive(Clone)]
pub(crate) struct Readers {
    path: PathBuf,
    opened: Arc<Mutex<Vec<Arc<tokio::sync::Mutex<Sqlite>>>>>,
    slots: Arc<Semaphore>,
    cache_kib: u32,
    schema: &'static Schema,
}

/// A connection for reading; free for the next one when it is dropped.
pub(crate) struct Reader {
    pub(crate) conn: OwnedMutexGuard<Sqlite>,
    // Dropped after the connection, so that the next holder of the slot finds it free.
    _slot: OwnedSemaphorePermit,
}

impl Readers {
    pub(crate) fn of(path: PathBuf, schema: &'static Schema) -> Self {
        Readers::new(path, schema, READERS, READER_CACHE_KIB)
    }

    /// The database's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// One more, with a larger cache, for reading page after page.
    pub(crate) fn one_more(&self) -> Self {
        Readers::new(self.path.clone(), self.schema, 1, LARGE_CACHE_KIB)
    }

    fn new(path: PathBuf, schema: &'static Schema, readers: usize, cache_kib: u32) -> Self {
        let slots = Arc::new(Semaphore::new(readers));
        Readers { path, opened: Arc::default(), slots, cache_kib, schema }
    }

    pub(crate) async fn acquire(&self) -> Result<Reader> {
        let slots = Arc::clone(&self.slots);
        let slot = slots.acquire_owned().await.map_err(|_| Failure::Closed)?;
        let mut conn = self.free_one()?;
        let flavor = Handle::current().runtime_flavor();
        conn.shares_thread = flavor == RuntimeFlavor::MultiThread;
        Ok(Reader { conn, _slot: slot })
    }

    /// Hands out no more connections, and closes those that are free or become free soon. One that is used for longer is
    /// closed when it is dropped.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(READERS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(LAST_READS, self.slots.acquire_many(all)).await;
        self.slots.close();
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn free_one(&self) -> Result<OwnedMutexGuard<Sqlite>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let free = opened.iter().find_map(|conn| Arc::clone(conn).try_lock_owned().ok());
        if let Some(free) = free {
            return Ok(free);
        }
        let new = Sqlite::open(&self.path, self.cache_kib)?.checked_by(self.schema);
        new.conn.busy_timeout(READER_PATIENCE)?;
        let new = Arc::new(tokio::sync::Mutex::new(new));
        opened.push(Arc::clone(&new));
        new.try_lock_owned().map_err(|_| Failure::Closed.into())
    }
}
