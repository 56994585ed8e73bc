//! Counts good responses in memory, until the next transaction that locks the gate writes them. Recording a response needs no
//! lock on the gate that way. Counts lost in a crash only make a rate grow a little later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use db::Attached;
use jobs::{Provider, Timestamp};

/// Good responses that are not yet in the gate's row; one value for each open ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoodAnswers(Arc<Mutex<BTreeMap<Provider, Count>>>);

/// Good answers of one provider.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) requests: i64,
    /// How many of `requests` were accepted orders.
    pub(crate) accepted: i64,
    /// When the provider last took an order.
    pub(crate) accepted_at: Option<i64>,
}

impl GoodAnswers {
    /// Returns the good answers of an open database.
    pub(crate) fn of(attached: &Attached) -> Self {
        attached.get(GoodAnswers::default)
    }

    /// Counts a request that was answered sensibly.
    pub(crate) fn count(&self, provider: Provider) {
        self.with(|counts| counts.entry(provider).or_default().requests += 1);
    }

    /// Counts an accepted order.
    pub(crate) fn count_accepted(&self, provider: Provider, now: Timestamp) {
        self.with(|counts| {
            let count = counts.entry(provider).or_default();
            count.requests += 1;
            count.accepted += 1;
            count.accepted_at = count.accepted_at.max(Some(now.0));
        });
    }

    /// Takes out the counts of a provider, to be written now.
    pub(crate) fn take(&self, provider: Provider) -> Option<Count> {
        self.with(|counts| counts.remove(&provider))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<Provider, Count>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
