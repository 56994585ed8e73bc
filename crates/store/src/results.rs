//! Webhooks and results from providers: webhooks are stored as they came, results are applied.

pub(crate) mod bodies;
pub(crate) mod inbox;
pub(crate) mod last_poll;
pub(crate) mod settle;
pub(crate) mod taken_back;
pub(crate) mod throughput;

use crate::store::Store;

/// Operations of webhooks that came in, and applying their results.
#[derive(Clone, Copy)]
pub struct Results<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of webhooks that came in, and applying their results.
    #[must_use]
    pub fn results(&self) -> Results<'_> {
        Results { store: self }
    }
}
