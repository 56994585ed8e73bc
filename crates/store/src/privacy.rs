//! Erasing people, and purging batches.

pub(crate) mod erase;
pub(crate) mod purge;
mod retention;
mod scrub;
pub(crate) mod suppression;

use crate::store::Store;

/// Operations of erasing, suppressing, purging and retention.
#[derive(Clone, Copy)]
pub struct Privacy<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of erasing, suppressing, purging and retention.
    #[must_use]
    pub fn privacy(&self) -> Privacy<'_> {
        Privacy { store: self }
    }
}
