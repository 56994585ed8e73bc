//! SQLite's one writing connection. Small transactions that arrive together share one commit, and so
//! one wait for the disk: one that fails takes back its own work only, and each caller is answered after
//! the commit that holds its work.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::executor::block_on;
use tokio::sync::oneshot;

use crate::changes::{Changes, Topics};
use crate::checkpoint::Checkpoints;
use crate::conn::{Conn, exec, value};
use crate::sqlite::no_thread;
use crate::{DatabaseError, Result, StoreError};

/// How long a commit waits for more work to share it with.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// How much work one commit holds at most.
const GROUP_SIZE: usize = 256;
/// How long a lock that another process holds is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How often other processes' commits are looked for.
const VERSION_INTERVAL: Duration = Duration::from_millis(50);
/// The same, after nothing was seen or written for so many looks.
const QUIET_INTERVAL: Duration = Duration::from_millis(250);
const QUIET_AFTER: u32 = 100;

/// Whether a transaction must have reached the disk when it is said to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It must.
    Full,
    /// It may be lost in a power cut: nobody was promised anything as yet. A later full one makes it
    /// durable, too, since both databases keep their logs in order.
    WithTheNext,
}

/// A future that borrows the connection.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to the writing connection.
#[derive(Clone)]
pub(crate) struct Writer(Sender<Box<dyn Job>>);

impl Writer {
    /// Starts the thread that owns the connection. It ends with the last `Writer`.
    pub(crate) fn start(conn: Conn, checkpoints: Checkpoints, changes: Changes) -> Result<Self> {
        let (sender, jobs) = channel();
        thread::Builder::new()
            .name("ledger-writer".into())
            .spawn(move || block_on(write_groups(conn, &jobs, &checkpoints, &changes)))
            .map_err(no_thread)?;
        Ok(Writer(sender))
    }

    /// Runs `work` and returns once it is as durable as it must be.
    pub(crate) async fn write<T, F>(&self, durability: Durability, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob { durability, work: Some(work), result: None, reply });
        self.0.send(job).map_err(|_| DatabaseError::Closed)?;
        answer.await.map_err(|_| DatabaseError::Closed)?
    }
}

trait Job: Send {
    /// How durable it must be.
    fn durability(&self) -> Durability;
    /// Runs the work; whether its savepoint is to be kept.
    fn run<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, bool>;
    /// Tells the caller, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct TypedJob<T, F> {
    durability: Durability,
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for TypedJob<T, F>
where
    T: Send + 'static,
    F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            // A bug in one caller's work must not take the others' along.
            let result = AssertUnwindSafe(work(conn))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(DatabaseError::Panicked.into()));
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(DatabaseError::Closed.into()),
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
        };
        // A caller that has gone away has no use for the answer; its work stands.
        let _ = self.reply.send(result);
    }
}

/// Runs on a thread of its own: on SQLite, what is awaited here never waits for anything else.
async fn write_groups(
    mut conn: Conn,
    jobs: &Receiver<Box<dyn Job>>,
    checkpoints: &Checkpoints,
    changes: &Changes,
) {
    let (mut version, mut quiet) = (0, 0);
    let mut next = None;
    let mut durability = Durability::Full;
    loop {
        let first = match next.take() {
            Some(job) => Ok(job),
            None if quiet > QUIET_AFTER => jobs.recv_timeout(QUIET_INTERVAL),
            None => jobs.recv_timeout(VERSION_INTERVAL),
        };
        match first {
            Ok(first) => {
                quiet = 0;
                if let Err(error) = set_durability(&mut conn, &mut durability, &*first).await {
                    first.answer(Err(error));
                    continue;
                }
                next = write_group(&mut conn, first, jobs, checkpoints, changes).await;
                checkpoints.after_commit(durability);
            }
            Err(RecvTimeoutError::Timeout) => {
                let seen = see_other_processes(&mut conn, &mut version, changes).await;
                quiet = if seen { 0 } else { quiet.saturating_add(1) };
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

async fn set_durability(conn: &mut Conn, now: &mut Durability, job: &dyn Job) -> Result<()> {
    if job.durability() == *now {
        return Ok(());
    }
    match job.durability() {
        Durability::Full => exec!(conn, "PRAGMA synchronous = FULL")?,
        Durability::WithTheNext => exec!(conn, "PRAGMA synchronous = NORMAL")?,
    };
    *now = job.durability();
    Ok(())
}

/// Whether another process committed: only then this connection's `data_version` moves.
async fn see_other_processes(conn: &mut Conn, version: &mut i64, changes: &Changes) -> bool {
    let now: Result<i64> = value!(conn, "PRAGMA data_version");
    let seen = now.is_ok_and(|now| std::mem::replace(version, now) != now);
    if seen {
        changes.wake(Topics::ALL);
    }
    seen
}

/// Commits the first job, and with it those of its kind that have come or come while it runs; gives
/// the job of another kind that comes after them, if there is one.
async fn write_group(
    conn: &mut Conn,
    first: Box<dyn Job>,
    jobs: &Receiver<Box<dyn Job>>,
    checkpoints: &Checkpoints,
    changes: &Changes,
) -> Option<Box<dyn Job>> {
    if let Err(error) = begin(conn).await {
        first.answer(Err(error));
        return None;
    }
    let durability = first.durability();
    let started = Instant::now();
    let mut done = Vec::new();
    let mut next = Some(first);
    while let Some(mut job) = next.take_if(|job| job.durability() == durability) {
        let ran = match done.is_empty() {
            true => run_first(conn, &mut job).await,
            false => run_in_savepoint(conn, &mut job).await,
        };
        done.push(job);
        if ran.is_err() {
            break;
        }
        if done.len() < GROUP_SIZE && started.elapsed() < GROUP_TIME {
            next = jobs.try_recv().ok();
        }
    }
    let topics = conn.take_topics();
    let failure = commit(conn).await.err().map(|error| error.words());
    match &failure {
        None => changes.wake(topics),
        // The disk may be full of a log that could start anew.
        Some(_) => checkpoints.now(),
    }
    for job in done {
        job.answer(match &failure {
            None => Ok(()),
            Some(why) => Err(StoreError::shared(why)),
        });
    }
    next
}

async fn commit(conn: &mut Conn) -> Result<()> {
    let committed = exec!(conn, "COMMIT");
    if committed.is_err() {
        // After a failed COMMIT the transaction may still be open; nothing more may join it.
        let _ = exec!(conn, "ROLLBACK");
    }
    committed.map(|_| ())
}

/// The first job needs no savepoint, which costs a copy of each page that it touches: if it fails, all
/// there is to take back is its own.
async fn run_first(conn: &mut Conn, job: &mut Box<dyn Job>) -> Result<()> {
    if !job.run(conn).await {
        exec!(conn, "ROLLBACK")?;
        begin(conn).await?;
    }
    Ok(())
}

async fn run_in_savepoint(conn: &mut Conn, job: &mut Box<dyn Job>) -> Result<()> {
    exec!(conn, "SAVEPOINT work")?;
    if !job.run(conn).await {
        exec!(conn, "ROLLBACK TO work")?;
    }
    exec!(conn, "RELEASE work")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "on threads that have nothing else to do")]
pub(crate) fn wait_a_moment() {
    thread::sleep(Duration::from_micros(rand::random_range(500..1500)));
}

/// Takes the write lock. Asks again every millisecond or so, because SQLite's own busy handler
/// sleeps up to 100 ms between two looks, and a submit in another process leaves short gaps only.
async fn begin(conn: &mut Conn) -> Result<()> {
    let started = Instant::now();
    loop {
        match exec!(conn, "BEGIN IMMEDIATE") {
            Err(error) if error.is_locked() && started.elapsed() < LOCK_PATIENCE => {
                wait_a_moment();
            }
            begun => return begun.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jobs::{Clock, Timestamp};

    use crate::conn::{exec, value};
    use crate::{DatabaseError, Store, StoreError};

    /// What runs out of a caller's work must not take the work of others along.
    #[tokio::test]
    async fn a_panicking_write_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("ledger.db").display());
        let clock = Clock::manual(Timestamp(0));
        let store = Store::connect(&url, true, clock).await.unwrap();
        let writes = (0..60_i64).map(|n| {
            store.write(move |conn| {
                Box::pin(async move {
                    exec!(
                        conn,
                        "INSERT INTO settings (name, value) VALUES ($1, '')",
                        n.to_string()
                    )?;
                    assert!(n % 4 != 0, "somebody's bug");
                    Ok(n)
                })
            })
        });
        for (n, written) in (0..).zip(futures::future::join_all(writes).await) {
            match written {
                Ok(answer) => assert_eq!(answer, n),
                Err(error) => assert!(
                    n % 4 == 0 && matches!(error, StoreError::Database(DatabaseError::Panicked))
                ),
            }
        }
        let mut conn = store.read().await.unwrap();
        let kept: i64 = value!(conn, "SELECT COUNT(*) FROM settings").unwrap();
        assert_eq!(kept, 45);
    }
}
