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

/// A webhook that waits to be written.
#[derive(Clone)]
pub(crate) struct Received {
    webhook: Weak<NewWebhook>,
    at: Timestamp,
    is_acknowledged: bool,
}

/// A webhook that is being written.
pub(crate) struct Writing {
    pub(super) webhook: Arc<NewWebhook>,
    /// When it was received.
    pub(super) at: Timestamp,
    /// Whether the provider was told that it is kept: its address takes it, then, whatever came before.
    pub(super) is_acknowledged: bool,
}

impl Received {
    /// The caller owns the webhook, so that no body stays in memory when the caller stops waiting.
    pub(crate) fn new(webhook: &Arc<NewWebhook>, at: Timestamp, is_acknowledged: bool) -> Self {
        Received { webhook: Arc::downgrade(webhook), at, is_acknowledged }
    }

    /// The webhook, unless its caller has stopped waiting.
    pub(crate) fn upgrade(self) -> Option<Writing> {
        let Received { webhook, at, is_acknowledged } = self;
        Some(Writing { webhook: webhook.upgrade()?, at, is_acknowledged })
    }
}
