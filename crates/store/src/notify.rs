//! Telling other processes what changed, on Postgres: after the commit, and what comes together at once.
//! A transaction that tells by itself keeps all others that do from committing until it is on the disk,
//! so that no two of them would ever share a wait for it.

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::changes::Topics;
use crate::texts::Texts;

/// Where notifications go.
pub(crate) const CHANNEL: &str = "reveal_queue";

/// The way to the task that tells.
#[derive(Clone)]
pub(crate) struct Notifier(mpsc::UnboundedSender<(Topics, oneshot::Sender<()>)>);

impl Notifier {
    /// Starts the task; it ends with the last way to it.
    pub(crate) fn start(pool: PgPool) -> Self {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Topics, oneshot::Sender<()>)>();
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            while receiver.recv_many(&mut waiting, usize::MAX).await > 0 {
                let mut topics = Topics::default();
                waiting.iter().for_each(|(some, _)| topics.extend(*some));
                notify(&pool, topics).await;
                for (_, told) in waiting.drain(..) {
                    // Who doesn't wait for it need not.
                    let _ = told.send(());
                }
            }
        });
        Notifier(sender)
    }

    /// Returns once others were told, or can't be: a program may end then.
    pub(crate) async fn tell(&self, topics: Topics) {
        let (told, done) = oneshot::channel();
        if !topics.is_empty() && self.0.send((topics, told)).is_ok() {
            let _ = done.await;
        }
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
