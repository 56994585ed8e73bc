//! Requests that may cost credits: claimed, sent, answered, polled, given up.

mod accepted;
pub(crate) mod claim;
pub(crate) mod claimed;
pub(crate) mod deadlines;
mod ended;
mod looked_up;
mod not_found;
pub(crate) mod polls;
pub(crate) mod response;

use crate::store::Store;

/// Operations of claiming people into calls, and recording what a provider answered.
#[derive(Clone, Copy)]
pub struct Calls<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of claiming people into calls, and recording what a provider answered.
    #[must_use]
    pub fn calls(&self) -> Calls<'_> {
        Calls { store: self }
    }
}
