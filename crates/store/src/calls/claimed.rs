//! What a claim asks for, the calls that it gives, and how they were answered.

use std::time::Instant;

use jobs::{CallId, CallKind, PerPerson, Provider, Timestamp, WorkerId};

/// A call that was answered, and the response's status if there was a response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The call.
    pub call: ClaimedCall,
    /// Its HTTP status.
    pub http_status: Option<u16>,
}

/// What a worker asks the ledger for.
#[derive(Debug, Clone)]
pub struct ClaimReveals {
    /// The provider to send to.
    pub provider: Provider,
    /// The worker that asks.
    pub worker: WorkerId,
    /// How many calls it could send now.
    pub calls: usize,
    /// How many people go into one call.
    pub people: usize,
    /// The credits reserved for each person.
    pub price: PerPerson,
    /// The user's limit, requests a second.
    pub rate: f64,
    /// While no webhook has proved the webhook URL: the most people out, all in one call. 0 means no such limit.
    pub canary: usize,
    /// How soon a balance that was found too low is read again.
    pub credits_check_interval: std::time::Duration,
}

/// A call that is written down and must be sent now, or given back.
#[derive(Debug, Clone)]
pub struct ClaimedCall {
    /// Its public id.
    pub call_id: CallId,
    /// The provider that is asked.
    pub provider: Provider,
    /// What it asks for.
    pub kind: CallKind,
    /// When it was written down.
    pub sent_at: Timestamp,
    /// When it may leave, by the rate: now, or in a few milliseconds.
    pub send_slot: Instant,
    /// Encoded identifiers, in the order in which they are sent.
    pub people: Vec<String>,
    pub(crate) id: i64,
    pub(crate) worker: WorkerId,
    /// Whether the call probes a closed gate.
    pub(crate) probe: bool,
}

/// The result of a claim.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Calls to send.
    pub calls: Vec<ClaimedCall>,
    /// When another claim may bring more, if nothing happens before.
    pub again_at: Option<Timestamp>,
    /// Whether `again_at` is a matter of the rate: no event brings it nearer.
    pub paced: bool,
}
