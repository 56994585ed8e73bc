//! Checkpoints: moves SQLite's log into the database file, on a thread and a connection of its own, so that no commit waits
//! for it. SQLite itself would do it in the commit that makes the log long.

use std::cell::Cell;
use std::ffi::c_int;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::error::Result;
use crate::sqlite::connection::{Sqlite, no_thread};
use crate::sqlite::files::log_of;
use crate::sqlite::wait::wait_a_moment;
use crate::transaction::Durability;

/// A log of so many pages (48 MiB) is moved. The longer it gets, the more often a page in it was
/// written again before it is moved, and the longer other commits wait for the disk meanwhile.
const LONG: c_int = 12_288;

/// How often the log is moved while others write, at most. A pass shorter than `SHORT` had little to move, so that little was
/// written meanwhile, too.
const PASSES: usize = 6;

const SHORT: Duration = Duration::from_millis(15);

/// How often a restart of the log is tried, at short intervals, before it is left to a later commit.
const TRIES: usize = 300;

/// Moving pages needs none of them twice.
const CACHE_KIB: u32 = 1024;

thread_local! {
    /// How many pages the log held after this thread's last commit.
    static PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// The way to the thread: the length of the log after a commit.
pub(crate) struct Checkpoints {
    commits: Option<SyncSender<c_int>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread; it has ended, and closed its connection, once this is dropped.
    pub(crate) fn start(path: &Path) -> Result<Self> {
        let conn = Sqlite::open(path, CACHE_KIB)?;
        let database = path.to_owned();
        let log = log_of(path);
        let (sender, commits) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("db-checkpoint".into())
            .spawn(move || run(&conn.conn, &database, &log, &commits))
            .map_err(no_thread)?;
        Ok(Checkpoints { commits: Some(sender), thread: Some(thread) })
    }

    /// Has the log moved whatever its length.
    pub(crate) fn now(&self) {
        self.request(c_int::MAX);
    }

    /// Called by the writing thread after a commit with this durability.
    pub(crate) fn after_commit(&self, durability: Durability) {
        if durability == Durability::WithTheNext || PAGES.get() > LONG {
            self.request(PAGES.get());
        }
    }

    fn request(&self, pages: c_int) {
        if let Some(commits) = &self.commits {
            // If the thread has yet to see to an earlier one, it will see to this one, too.
            let _ = commits.try_send(pages);
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.commits = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Has the length of the log noted at each commit of this connection.
pub(crate) fn watch(conn: &Connection) {
    conn.wal_hook(Some(|_: &Wal, pages| {
        PAGES.set(pages);
        Ok(())
    }));
}

fn run(conn: &Connection, database: &Path, log: &Path, commits: &Receiver<c_int>) {
    let mut kept = None;
    while let Ok(pages) = commits.recv() {
        // Else the next full commit, of whatever process, would wait for all of it.
        if let Err(error) = File::open(log).and_then(|log| log.sync_data()) {
            tracing::debug!(%error, "the log is left to the next commit");
        }
        if pages > LONG {
            // Never closed: closing any handle of a file drops all locks that its process holds on it
            // (POSIX), those of SQLite included.
            kept =
                kept.or_else(|| File::open(database).ok().map(|file| &*Box::leak(Box::new(file))));
            checkpoint(conn, kept);
        }
    }
}

/// Moves the log while others write, until little is left. Then once more while writers are kept out briefly: otherwise
/// the log never restarts under load.
fn checkpoint(conn: &Connection, database: Option<&File>) {
    for _ in 0..PASSES {
        let started = Instant::now();
        moved(conn, "PASSIVE");
        if let Some(Err(error)) = database.map(File::sync_data) {
            tracing::debug!(%error, "the file is left to the end of the checkpoint");
        }
        if started.elapsed() < SHORT {
            break;
        }
    }
    // SQLite's own way to wait would keep writers out while it waits for a reader.
    for _ in 0..TRIES {
        if moved(conn, "RESTART") {
            return;
        }
        wait_a_moment(500..1500);
    }
    tracing::debug!("the log could not restart; the next commit tries again");
}

/// Whether all of the log was moved.
fn moved(conn: &Connection, mode: &str) -> bool {
    let busy =
        conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(0));
    matches!(busy, Ok(0))
}
