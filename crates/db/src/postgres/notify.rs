//! Notifies other processes of changes, on Postgres: after the commit, several changes at once. Transactions that notify by
//! themselves commit one after the other, so no two of them would ever share a wait for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};

use crate::arg::Texts;
use crate::signals::Topics;

/// After a notification, changes within this time are sent together, and so much later.
const GATHER: Duration = Duration::from_millis(20);

/// The way to the task that notifies.
#[derive(Clone)]
pub(crate) struct Notifier {
    sender: mpsc::UnboundedSender<Message>,
    id: NotifierId,
}

enum Message {
    Changed(Topics),
    /// Answered once everything before it was sent.
    Flush(oneshot::Sender<()>),
}

/// The server's number of the connection by which this process notifies.
#[derive(Clone, Default)]
pub(crate) struct NotifierId(Arc<AtomicU32>);

impl NotifierId {
    /// Whether a notification came from this process, which knows already.
    pub(crate) fn is(&self, process: u32) -> bool {
        self.0.load(Ordering::Relaxed) == process
    }

    async fn is_now(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(conn).await?;
        self.0.store(process.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    }
}

impl Notifier {
    /// Starts the task; it ends with the last way to it. `pool` is for one connection.
    pub(crate) fn start(
        pool: PgPoolOptions,
        options: PgConnectOptions,
        channel: &'static str,
    ) -> Self {
        let id = NotifierId::default();
        let connected = id.clone();
        let pool = pool.after_connect(move |conn, _| {
            let id = connected.clone();
            Box::pin(async move {
                // Notifications need not reach the disk: a process that misses one looks by itself a few seconds later.
                sqlx::raw_sql("SET synchronous_commit = off").execute(&mut *conn).await?;
                id.is_now(conn).await
            })
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(pool.connect_lazy_with(options), channel, receiver));
        Notifier { sender, id }
    }

    /// Notifies other processes soon.
    pub(crate) fn notify(&self, topics: Topics) {
        if !topics.is_empty() {
            // The task has ended only when the program does.
            let _ = self.sender.send(Message::Changed(topics));
        }
    }

    /// Returns once everything before was sent, or could not be.
    pub(crate) async fn flush(&self) {
        let (flushed, done) = oneshot::channel();
        if self.sender.send(Message::Flush(flushed)).is_ok() {
            let _ = done.await;
        }
    }

    /// By which this process knows its own notifications.
    pub(crate) fn id(&self) -> NotifierId {
        self.id.clone()
    }
}

async fn run(pool: PgPool, channel: &'static str, mut receiver: mpsc::UnboundedReceiver<Message>) {
    let mut news = Vec::new();
    while receiver.recv_many(&mut news, usize::MAX).await > 0 {
        let mut topics = Topics::default();
        let mut awaited = Vec::new();
        for one in news.drain(..) {
            match one {
                Message::Changed(some) => topics.extend(some),
                Message::Flush(flushed) => awaited.push(flushed),
            }
        }
        if !topics.is_empty() {
            notify(&pool, channel, topics).await;
        }
        for flushed in awaited {
            // The receiver may be gone.
            let _ = flushed.send(());
        }
        tokio::time::sleep(GATHER).await;
    }
}

async fn notify(pool: &PgPool, channel: &str, topics: Topics) {
    let names = Texts::of(topics);
    let notified = sqlx::query("SELECT pg_notify($1, name) FROM unnest($2) AS e(name)")
        .bind(channel)
        .bind(names)
        .execute(pool)
        .await;
    if let Err(error) = notified {
        tracing::debug!(%error, "other processes could not be notified of a change");
    }
}
