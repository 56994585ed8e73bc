//! Whether requests may be sent to a provider: circuit breaker, rate, and what the account holds.

pub(crate) mod account;
pub(crate) mod balance;
pub(crate) mod closing;
pub(crate) mod free_requests;
pub(crate) mod gate;
pub(crate) mod good_answers;
pub(crate) mod not_found;
pub(crate) mod pause;
pub(crate) mod state;
pub(crate) mod unread_webhooks;

use crate::store::Store;

/// Operations of the gate of a provider: balances, pausing and resuming.
#[derive(Clone, Copy)]
pub struct Gates<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of the gate of a provider: balances, pausing and resuming.
    #[must_use]
    pub fn gates(&self) -> Gates<'_> {
        Gates { store: self }
    }
}
