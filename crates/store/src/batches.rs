//! The batches that a user submits, and the operations on a submitted batch.

pub(crate) mod cancel;
mod ceilings;
mod discard;
pub(crate) mod loading;
pub(crate) mod other_file;
pub(crate) mod preview;
mod priority;
pub(crate) mod rejected;
pub(crate) mod retry;
mod row_chunks;
pub(crate) mod submit;

use crate::store::Store;

/// Operations of submitting, changing, cancelling and retrying batches.
#[derive(Clone, Copy)]
pub struct Batches<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of submitting, changing, cancelling and retrying batches.
    #[must_use]
    pub fn batches(&self) -> Batches<'_> {
        Batches { store: self }
    }
}
