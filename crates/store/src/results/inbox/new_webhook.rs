//! A webhook that was received.

use std::sync::{Arc, Weak};

use jobs::{Provider, Timestamp};

/// A webhook that was received.
pub struct NewWebhook {
    /// The provider whose URL it came to.
    pub provider: Provider,
    /// The call whose URL it came to.
    pub call_id: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// Set for a body that can't be applied; it is kept for inspection.
    pub malformed: bool,
}

/// A webhook that waits to be written, and when it was received.
#[derive(Clone)]
pub(crate) struct Received {
    webhook: Weak<NewWebhook>,
    at: Timestamp,
}

impl Received {
    /// The caller owns the webhook, so that no body stays in memory when the caller stops waiting.
    pub(crate) fn new(webhook: &Arc<NewWebhook>, at: Timestamp) -> Self {
        Received { webhook: Arc::downgrade(webhook), at }
    }

    /// The webhook, unless its caller has stopped waiting.
    pub(crate) fn upgrade(self) -> Option<(Arc<NewWebhook>, Timestamp)> {
        Some((self.webhook.upgrade()?, self.at))
    }
}
