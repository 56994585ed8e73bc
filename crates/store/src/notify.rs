//! Telling other processes what changed, on Postgres: after the commit, and what comes together at once.
//! A transaction that tells by itself keeps all others that do from committing until it is on the disk,
//! so that no two of them would ever share a wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};

use crate::changes::Topics;
use crate::texts::Texts;

/// Where notifications go.
pub(crate) const CHANNEL: &str = "reveal_queue";

/// After others were told, what changes within this time is told at once. Nobody here waits for it, and nobody
/// there hurries more: a claim that brought nothing isn't repeated sooner, either.
const GATHER: Duration = Duration::from_millis(20);

/// The way to the task that tells.
#[derive(Clone)]
pub(crate) struct Notifier {
    sender: mpsc::UnboundedSender<(Topics, Option<oneshot::Sender<()>>)>,
    ours: Ours,
}

/// By which connection to the server this process tells.
#[derive(Clone, Default)]
pub(crate) struct Ours(Arc<AtomicU32>);

impl Ours {
    /// Whether the server's process with this number told it: then this process knows.
    pub(crate) fn told(&self, process: u32) -> bool {
        self.0.load(Ordering::Relaxed) == process
    }

    async fn learn(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(conn).await?;
        self.0.store(process.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    }
}

impl Notifier {
    /// Starts the task; it ends with the last way to it.
    pub(crate) fn start(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        let ours = Ours::default();
        let learning = ours.clone();
        let pool = pool.after_connect(move |conn, _| {
            let ours = learning.clone();
            Box::pin(async move { ours.learn(conn).await })
        });
        let pool = pool.connect_lazy_with(options);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut waiting: Vec<(Topics, Option<oneshot::Sender<()>>)> = Vec::new();
            while receiver.recv_many(&mut waiting, usize::MAX).await > 0 {
                let mut topics = Topics::default();
                waiting.iter().for_each(|(some, _)| topics.extend(*some));
                if !topics.is_empty() {
                    notify(&pool, topics).await;
                }
                for told in waiting.drain(..).filter_map(|(_, told)| told) {
                    // Who doesn't wait for it any more need not know.
                    let _ = told.send(());
                }
                tokio::time::sleep(GATHER).await;
            }
        });
        Notifier { sender, ours }
    }

    /// Has others told, soon.
    pub(crate) fn tell(&self, topics: Topics) {
        if !topics.is_empty() {
            // Nobody listens only when the program ends.
            let _ = self.sender.send((topics, None));
        }
    }

    /// Returns once others were told of everything before, or can't be.
    pub(crate) async fn told(&self) {
        let (told, done) = oneshot::channel();
        if self.sender.send((Topics::default(), Some(told))).is_ok() {
            let _ = done.await;
        }
    }

    /// Which notifications are this process' own.
    pub(crate) fn ours(&self) -> Ours {
        self.ours.clone()
    }
}

async fn notify(pool: &PgPool, topics: Topics) {
    let names = Texts::of(topics.iter().map(|topic| topic.as_str()));
    let told = sqlx::query("SELECT pg_notify($1, name) FROM unnest($2) AS e(name)")
        .bind(CHANNEL)
        .bind(names)
        .execute(pool)
        .await;
    if let Err(error) = told {
        tracing::debug!(%error, "other processes could not be told of a change");
    }
}
