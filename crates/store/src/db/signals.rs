//! How those who wait for work learn that there may be some.

use tokio::sync::watch;

/// What may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// There may be something to send: a batch was published, a gate opened, a person is due.
    Queue,
    /// A webhook was stored.
    Inbox,
    /// A result may be asked for soon: an order was taken under a tracking id.
    Polls,
}

impl Topic {
    const ALL: [Topic; 3] = [Topic::Queue, Topic::Inbox, Topic::Polls];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Topic::Queue => "queue",
            Topic::Inbox => "inbox",
            Topic::Polls => "polls",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// A set of topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Topics(u8);

impl Topics {
    pub(crate) const ALL: Topics = Topics(0b111);

    pub(crate) fn insert(&mut self, topic: Topic) {
        self.0 |= 1 << topic as u8;
    }

    pub(crate) fn extend(&mut self, others: Topics) {
        self.0 |= others.0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Topic> {
        Topic::ALL.into_iter().filter(move |t| self.0 & (1 << *t as u8) != 0)
    }
}

/// Wakes waiters of this process. Who subscribes sees every change after that moment.
#[derive(Debug, Clone)]
pub(crate) struct Changes([watch::Sender<u64>; Topic::ALL.len()]);

impl Default for Changes {
    fn default() -> Self {
        Changes(std::array::from_fn(|_| watch::Sender::new(0)))
    }
}

impl Changes {
    pub(crate) fn wake(&self, topics: Topics) {
        for topic in topics.iter() {
            self.0[topic as usize].send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    pub(crate) fn subscribe(&self, topic: Topic) -> Subscription {
        Subscription(self.0[topic as usize].subscribe())
    }
}

/// Waits for changes of one topic.
#[derive(Debug, Clone)]
pub struct Subscription(watch::Receiver<u64>);

impl Subscription {
    /// Returns at the first change since the last return; never, once the store is gone.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
