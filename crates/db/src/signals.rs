//! In-process notifications: a transaction that may have made work wakes the tasks that wait for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What may have changed, by its name.
pub type Topic = &'static str;

/// What changed by one transaction, or by several.
pub(crate) type Topics = BTreeSet<Topic>;

/// Wakes waiters of this process. A subscription sees every change after it was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes(Arc<Mutex<HashMap<Topic, watch::Sender<u64>>>>);

impl Changes {
    pub(crate) fn wake(&self, topics: &Topics) {
        for topic in topics {
            self.wake_one(topic);
        }
    }

    /// Wakes the subscriptions to the topic of this name, if there are any.
    pub(crate) fn wake_one(&self, topic: &str) {
        let senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.get(topic).into_iter().for_each(send);
    }

    /// Wakes all: anything may have changed.
    pub(crate) fn wake_all(&self) {
        let senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.values().for_each(send);
    }

    pub(crate) fn subscribe(&self, topic: Topic) -> Subscription {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = senders.entry(topic).or_insert_with(|| watch::Sender::new(0));
        Subscription(sender.subscribe())
    }
}

fn send(sender: &watch::Sender<u64>) {
    sender.send_modify(|changes| *changes = changes.wrapping_add(1));
}

/// Waits for changes of one topic.
#[derive(Debug, Clone)]
pub struct Subscription(watch::Receiver<u64>);

impl Subscription {
    /// Returns at the first change since the last return; never, once the database is closed.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
