//! A webhook that was received.

use jobs::{Provider, Timestamp};

/// A webhook that was received.
#[derive(Clone)]
pub struct NewWebhook {
    /// Whose URL it came to.
    pub provider: Provider,
    /// Which call's URL it came to.
    pub call_id: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// Set for a body that can't be applied; it is kept for inspection.
    pub malformed: bool,
}

/// A webhook, and when it was received.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) webhook: NewWebhook,
    pub(crate) at: Timestamp,
}
