//! SQLite's one writing connection. Small transactions that arrive together share one commit, and so
//! one wait for the disk: each runs in a savepoint of its own, and each caller is answered after the
//! commit that holds its work.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::changes::{Changes, Topics};
use crate::conn::{Conn, exec, value};
use crate::{Result, StoreError};

/// How long a commit waits for more work to share it with.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// How much work one commit holds at most.
const GROUP_SIZE: usize = 256;
/// How long a lock that another process holds is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How often other processes' commits are looked for.
const VERSION_INTERVAL: Duration = Duration::from_millis(50);

/// A future that borrows the connection.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to the writing connection.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Box<dyn Job>>);

impl Writer {
    /// Starts the task that owns the connection. It ends when the last `Writer` is dropped.
    pub(crate) fn start(conn: Conn, changes: Changes) -> Self {
        let (sender, receiver) = mpsc::channel(GROUP_SIZE);
        tokio::spawn(write_groups(conn, receiver, changes));
        Writer(sender)
    }

    /// Runs `work` and returns once it is durable.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob { work: Some(work), result: None, reply });
        self.0.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

fn closed() -> StoreError {
    StoreError::Database(sqlx::Error::PoolClosed)
}

trait Job: Send {
    /// Runs the work; whether its savepoint is to be kept.
    fn run<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, bool>;
    /// Tells the caller, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct TypedJob<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for TypedJob<T, F>
where
    T: Send + 'static,
    F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
{
    fn run<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            // A bug in one caller's work must not take the others' along.
            let result = AssertUnwindSafe(work(conn))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(StoreError::Database(sqlx::Error::WorkerCrashed)));
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(closed()),
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
        };
        // A caller that has gone away has no use for the answer; its work stands.
        let _ = self.reply.send(result);
    }
}

async fn write_groups(mut conn: Conn, mut jobs: mpsc::Receiver<Box<dyn Job>>, changes: Changes) {
    let mut tick = tokio::time::interval(VERSION_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut version = 0;
    loop {
        tokio::select! {
            biased;
            job = jobs.recv() => match job {
                Some(first) => write_group(&mut conn, first, &mut jobs, &changes).await,
                None => return,
            },
            _ = tick.tick() => see_other_processes(&mut conn, &mut version, &changes).await,
        }
    }
}

/// This connection's `data_version` moves only when another process commits.
async fn see_other_processes(conn: &mut Conn, version: &mut i64, changes: &Changes) {
    let now: std::result::Result<i64, _> = value!(conn, "PRAGMA data_version");
    if let Ok(now) = now
        && std::mem::replace(version, now) != now
    {
        changes.wake(Topics::ALL);
    }
}

async fn write_group(
    conn: &mut Conn,
    first: Box<dyn Job>,
    jobs: &mut mpsc::Receiver<Box<dyn Job>>,
    changes: &Changes,
) {
    if let Err(error) = begin(conn).await {
        first.answer(Err(error));
        return;
    }
    let started = Instant::now();
    let mut done = Vec::new();
    let mut next = Some(first);
    while let Some(mut job) = next.take() {
        let ran = run_in_savepoint(conn, &mut job).await;
        done.push(job);
        if ran.is_err() {
            break;
        }
        if done.len() < GROUP_SIZE && started.elapsed() < GROUP_TIME {
            next = jobs.try_recv().ok();
        }
    }
    let topics = conn.take_topics();
    let committed = match exec!(conn, "COMMIT") {
        Ok(_) => {
            changes.wake(topics);
            None
        }
        Err(error) => {
            // After a failed COMMIT the transaction may still be open; nothing more may join it.
            let _ = exec!(conn, "ROLLBACK");
            Some(error.to_string())
        }
    };
    for job in done {
        job.answer(match &committed {
            None => Ok(()),
            Some(why) => Err(StoreError::shared(why)),
        });
    }
}

async fn run_in_savepoint(conn: &mut Conn, job: &mut Box<dyn Job>) -> Result<()> {
    exec!(conn, "SAVEPOINT work")?;
    if !job.run(conn).await {
        exec!(conn, "ROLLBACK TO work")?;
    }
    exec!(conn, "RELEASE work")?;
    Ok(())
}

/// Takes the write lock. Asks again every millisecond or so, because SQLite's own busy handler
/// sleeps up to 100 ms between two looks, and a submit in another process leaves short gaps only.
async fn begin(conn: &mut Conn) -> Result<()> {
    let started = Instant::now();
    loop {
        match exec!(conn, "BEGIN IMMEDIATE") {
            Ok(_) => return Ok(()),
            Err(error) if is_locked(&error) && started.elapsed() < LOCK_PATIENCE => {
                tokio::time::sleep(Duration::from_micros(rand::random_range(500..1500))).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    // SQLITE_BUSY and its extended codes end in 5.
    error
        .as_database_error()
        .and_then(|e| e.code()?.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

#[cfg(test)]
mod tests {
    use jobs::{Clock, Timestamp};

    use crate::conn::{exec, value};
    use crate::{Store, StoreError};

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
                Err(error) => assert!(n % 4 == 0 && matches!(error, StoreError::Database(_))),
            }
        }
        let mut conn = store.read().await.unwrap();
        let kept: i64 = value!(conn, "SELECT COUNT(*) FROM settings").unwrap();
        assert_eq!(kept, 45);
    }
}
