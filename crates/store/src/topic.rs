//! Changes that other tasks and processes may wait for.

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// There may be something to send: a batch was published, a gate opened, a person is due.
    Queue,
    /// A webhook was stored.
    Inbox,
    /// A result may be polled for soon: a provider took an order under a tracking id.
    Polls,
}

impl From<Topic> for db::Topic {
    fn from(topic: Topic) -> Self {
        match topic {
            Topic::Queue => "queue",
            Topic::Inbox => "inbox",
            Topic::Polls => "polls",
        }
    }
}
