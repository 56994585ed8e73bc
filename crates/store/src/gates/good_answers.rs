//! What good answers mean for a provider's gate. Counted in memory and written by whoever locks the gate
//! next: who writes down what people were told keeps nobody from the gate. What is lost of it in a crash
//! makes a rate grow a little later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use db::Attached;
use jobs::{Provider, Timestamp};

/// Good answers that no gate shows yet; one for each ledger that is open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passed(Arc<Mutex<BTreeMap<Provider, Count>>>);

/// Good answers of one provider.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) requests: i64,
    /// Of these, orders that were taken.
    pub(crate) accepted: i64,
    /// When it last took an order.
    pub(crate) accepted_at: Option<i64>,
}

impl Passed {
    /// Those of an open database.
    pub(crate) fn of(attached: &Attached) -> Self {
        attached.get(Passed::default)
    }

    /// A request was answered sensibly.
    pub(crate) fn count(&self, provider: Provider) {
        self.with(|counts| counts.entry(provider).or_default().requests += 1);
    }

    /// An order was taken.
    pub(crate) fn count_accepted(&self, provider: Provider, now: Timestamp) {
        self.with(|counts| {
            let count = counts.entry(provider).or_default();
            count.requests += 1;
            count.accepted += 1;
            count.accepted_at = count.accepted_at.max(Some(now.0));
        });
    }

    /// What is to be written now.
    pub(crate) fn take(&self, provider: Provider) -> Option<Count> {
        self.with(|counts| counts.remove(&provider))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<Provider, Count>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
