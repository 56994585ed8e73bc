//! SQLite's one writing connection. Small transactions that arrive together share one commit, and so one wait for the disk.
//! One that fails takes back its own work only. Each caller is answered after the commit that holds its work.

mod job;
mod queue;
#[cfg(test)]
mod tests;

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use tokio::sync::oneshot;

use crate::conn::Conn;
use crate::error::{DbError, Failure, Result, WorkError};
use crate::signals::Changes;
use crate::sqlite::checkpoint::Checkpoints;
use crate::sqlite::connection::no_thread;
use crate::sqlite::wait::{LOOK_AGAIN, wait_a_moment};
use crate::sqlite::write_lock::WriteLock;
use crate::sqlite::writer::job::{Job, TypedJob};
use crate::sqlite::writer::queue::Queue;
use crate::transaction::{BoxFuture, Durability, Urgency};

/// How long a commit waits for more work to share it with.
const GROUP_TIME: Duration = Duration::from_millis(10);

/// The same, where a job is urgent.
const URGENT_TIME: Duration = Duration::from_millis(2);

/// How much work one commit holds at most.
const GROUP_SIZE: usize = 256;

/// How long a lock that another process holds is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// How often other processes' commits are looked for.
const VERSION_INTERVAL: Duration = Duration::from_millis(50);

/// The same, after nothing was seen or written for so many looks.
const QUIET_INTERVAL: Duration = Duration::from_millis(250);

const QUIET_AFTER: u32 = 100;

/// The way to the writing connection; nothing once it is closed.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Mutex<Option<Thread>>>);

struct Thread {
    jobs: Sender<Box<dyn Job>>,
    handle: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread that owns the connection. It ends when this is closed, or with the last `Writer`.
    pub(crate) fn start(
        conn: Conn,
        write_lock: WriteLock,
        checkpoints: Checkpoints,
        changes: Changes,
    ) -> Result<Self> {
        let (sender, jobs) = channel();
        let writing = Writing { conn, write_lock, jobs: Queue::of(jobs), checkpoints, changes };
        let handle = thread::Builder::new()
            .name("db-writer".into())
            .spawn(move || block_on(writing.run()))
            .map_err(no_thread)?;
        Ok(Writer(Arc::new(Mutex::new(Some(Thread { jobs: sender, handle })))))
    }

    /// Runs `work` and returns once it is as durable as it must be.
    pub(crate) async fn write<T, E, F>(
        &self,
        durability: Durability,
        urgency: Urgency,
        work: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: WorkError,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob { durability, urgency, work: Some(work), result: None, reply });
        self.send(job)?;
        answer.await.map_err(|_| DbError::from(Failure::Closed))?
    }

    fn send(&self, job: Box<dyn Job>) -> Result<()> {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = &thread.as_ref().ok_or(Failure::Closed)?.jobs;
        Ok(jobs.send(job).map_err(|_| Failure::Closed)?)
    }

    /// Takes no more work, and returns once what was asked for is done and the connection is closed.
    pub(crate) fn close(&self) {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Thread { jobs, handle }) = thread {
            drop(jobs);
            // A thread that panicked has dropped its connection, too.
            let _ = handle.join();
        }
    }
}

/// The writing thread: on SQLite, what is awaited here never waits for anything else.
struct Writing {
    conn: Conn,
    write_lock: WriteLock,
    jobs: Queue,
    checkpoints: Checkpoints,
    changes: Changes,
}

impl Writing {
    async fn run(mut self) {
        let (mut version, mut quiet) = (0, 0);
        let mut durability = Durability::Full;
        loop {
            let patience = if quiet > QUIET_AFTER { QUIET_INTERVAL } else { VERSION_INTERVAL };
            match self.jobs.wait(patience) {
                Ok(first) => {
                    quiet = 0;
                    let set = set_durability(&mut self.conn, &mut durability, &*first).await;
                    if let Err(error) = set {
                        first.answer(Err(error));
                        continue;
                    }
                    self.write_group(first).await;
                    self.checkpoints.after_commit(durability);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let seen =
                        see_other_processes(&mut self.conn, &mut version, &self.changes).await;
                    quiet = if seen { 0 } else { quiet.saturating_add(1) };
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Commits the first job, and with it those of its kind that have come or come while it runs; fewer
    /// where one is urgent, because its caller waits for all of them.
    async fn write_group(&mut self, first: Box<dyn Job>) {
        let conn = &mut self.conn;
        if let Err(error) = begin(conn, &mut self.write_lock).await {
            first.answer(Err(error));
            return;
        }
        let durability = first.durability();
        let started = Instant::now();
        let mut done = Vec::new();
        let mut next = Some(first);
        let mut time = GROUP_TIME;
        while let Some(mut job) = next.take_if(|job| job.durability() == durability) {
            let ran = match done.is_empty() {
                true => run_first(conn, &mut self.write_lock, &mut job).await,
                false => run_in_savepoint(conn, &mut job).await,
            };
            if job.is_urgent() {
                time = URGENT_TIME;
            }
            done.push(job);
            if ran.is_err() {
                break;
            }
            if done.len() < GROUP_SIZE && started.elapsed() < time {
                next = self.jobs.next();
            }
        }
        if let Some(other) = next {
            self.jobs.put_back(other);
        }
        let topics = conn.take_topics();
        let failure = commit(conn).await.err().map(|error| error.words());
        match &failure {
            None => self.changes.wake(&topics),
            // The disk may be full of a log that could restart.
            Some(_) => self.checkpoints.now(),
        }
        for job in done {
            job.answer(match &failure {
                None => Ok(()),
                Some(why) => Err(DbError::shared(why)),
            });
        }
    }
}

async fn set_durability(conn: &mut Conn, now: &mut Durability, job: &dyn Job) -> Result<()> {
    if job.durability() == *now {
        return Ok(());
    }
    match job.durability() {
        Durability::Full => conn.execute("PRAGMA synchronous = FULL", &[]).await?,
        Durability::WithTheNext => conn.execute("PRAGMA synchronous = NORMAL", &[]).await?,
    };
    *now = job.durability();
    Ok(())
}

/// Whether another process committed: only then this connection's `data_version` moves.
async fn see_other_processes(conn: &mut Conn, version: &mut i64, changes: &Changes) -> bool {
    let now: Result<i64> = conn.fetch_value("PRAGMA data_version", &[]).await;
    let seen = now.is_ok_and(|now| std::mem::replace(version, now) != now);
    if seen {
        changes.wake_all();
    }
    seen
}

async fn commit(conn: &mut Conn) -> Result<()> {
    let committed = conn.execute("COMMIT", &[]).await;
    if committed.is_err() {
        // After a failed COMMIT the transaction may still be open; nothing more may join it.
        let _ = conn.execute("ROLLBACK", &[]).await;
    }
    committed.map(|_| ())
}

/// The first job needs no savepoint, which costs a copy of each page that it touches: if it fails, all
/// there is to take back is its own.
async fn run_first(
    conn: &mut Conn,
    write_lock: &mut WriteLock,
    job: &mut Box<dyn Job>,
) -> Result<()> {
    if !job.run(conn).await {
        conn.execute("ROLLBACK", &[]).await?;
        begin(conn, write_lock).await?;
    }
    Ok(())
}

async fn run_in_savepoint(conn: &mut Conn, job: &mut Box<dyn Job>) -> Result<()> {
    conn.execute("SAVEPOINT work", &[]).await?;
    if !job.run(conn).await {
        conn.execute("ROLLBACK TO work", &[]).await?;
    }
    conn.execute("RELEASE work", &[]).await?;
    Ok(())
}

/// Begins a transaction that writes. Tries again a few times each millisecond, because
/// SQLite's own busy handler sleeps up to 100 ms between two looks, and another process that writes much
/// leaves short gaps only.
async fn begin(conn: &mut Conn, write_lock: &mut WriteLock) -> Result<()> {
    let started = Instant::now();
    let _guard = write_lock.wait();
    loop {
        match conn.execute("BEGIN IMMEDIATE", &[]).await {
            Err(error) if error.is_locked() && started.elapsed() < LOCK_PATIENCE => {
                wait_a_moment(LOOK_AGAIN);
            }
            begun => return begun.map(|_| ()),
        }
    }
}
