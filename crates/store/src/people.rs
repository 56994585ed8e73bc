//! Resolves the identifiers on rows and in results to people, and knows which people were erased or suppressed.

pub(crate) mod erased;
pub(crate) mod hash_key;
pub(crate) mod links;
pub(crate) mod marks;
pub(crate) mod new_row;
pub(crate) mod resolve;
pub(crate) mod split;
pub(crate) mod suppressed;
mod suppression_filter;
pub(crate) mod suppression_list;

use crate::store::Store;

/// Operations of who is who.
#[derive(Clone, Copy)]
pub struct People<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of who is who.
    #[must_use]
    pub fn people(&self) -> People<'_> {
        People { store: self }
    }
}
