//! Telling other processes what changed, on Postgres: after the commit, and what comes together at once.
//! A transaction that tells by itself keeps all others that do from committing until it is on the disk,
//! so that no two of them would ever share a wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};

use crate::sets::Texts;
use crate::signals::Topics;

/// Once others were told, what changes within this time is told together: they learn of it so much later.
const GATHER: Duration = Duration::from_millis(20);

/// The way to the task that tells.
#[derive(Clone)]
pub(crate) struct Notifier {
    sender: mpsc::UnboundedSender<News>,
    teller: Teller,
}

enum News {
    Changed(Topics),
    /// Somebody waits until all before it was told.
    Awaited(oneshot::Sender<()>),
}

/// The connection by which this process tells: its number at the server.
#[derive(Clone, Default)]
pub(crate) struct Teller(Arc<AtomicU32>);

impl Teller {
    /// Whether a notification came from there: then this process knows already.
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
        let teller = Teller::default();
        let connected = teller.clone();
        let pool = pool.after_connect(move |conn, _| {
            let teller = connected.clone();
            Box::pin(async move { teller.is_now(conn).await })
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(tell_all(pool.connect_lazy_with(options), channel, receiver));
        Notifier { sender, teller }
    }

    /// Has others told, soon.
    pub(crate) fn tell(&self, topics: Topics) {
        if !topics.is_empty() {
            // Nobody takes it only when the program ends.
            let _ = self.sender.send(News::Changed(topics));
        }
    }

    /// Returns once others were told of everything before, or can't be.
    pub(crate) async fn told(&self) {
        let (told, done) = oneshot::channel();
        if self.sender.send(News::Awaited(told)).is_ok() {
            let _ = done.await;
        }
    }

    /// Who tells for this process.
    pub(crate) fn teller(&self) -> Teller {
        self.teller.clone()
    }
}

async fn tell_all(
    pool: PgPool,
    channel: &'static str,
    mut receiver: mpsc::UnboundedReceiver<News>,
) {
    let mut news = Vec::new();
    while receiver.recv_many(&mut news, usize::MAX).await > 0 {
        let mut topics = Topics::default();
        let mut awaited = Vec::new();
        for one in news.drain(..) {
            match one {
                News::Changed(some) => topics.extend(some),
                News::Awaited(told) => awaited.push(told),
            }
        }
        if !topics.is_empty() {
            notify(&pool, channel, topics).await;
        }
        for told in awaited {
            // Who doesn't wait for it any more need not know.
            let _ = told.send(());
        }
        tokio::time::sleep(GATHER).await;
    }
}

async fn notify(pool: &PgPool, channel: &str, topics: Topics) {
    let names = Texts::of(topics);
    let told = sqlx::query("SELECT pg_notify($1, name) FROM unnest($2) AS e(name)")
        .bind(channel)
        .bind(names)
        .execute(pool)
        .await;
    if let Err(error) = told {
        tracing::debug!(%error, "other processes could not be told of a change");
    }
}
