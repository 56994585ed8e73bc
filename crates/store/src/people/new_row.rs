//! A row of a batch as it is submitted: the person that it wants, and the providers to be asked for them.

use std::sync::Arc;

use jobs::Provider;
use smallvec::SmallVec;

/// A row as the ledger keeps it.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// The row's place in the batch, from 1.
    pub number: i64,
    /// JSON: an array along the header, or the object as it came.
    pub fields: String,
    /// All identifiers of the person on the row, encoded.
    pub identifiers: SmallVec<[Arc<str>; 1]>,
    /// The waterfall: the providers in the order in which they are asked.
    pub steps: SmallVec<[NewStep; Provider::ALL.len()]>,
    /// The person is not to be asked for. Loading sets it for erased people.
    pub erased: bool,
}

impl NewRow {
    /// The identifier to ask by at a step.
    #[must_use]
    pub fn asked_by(&self, step: &NewStep) -> Option<&Arc<str>> {
        self.identifiers.get(usize::from(step.asks_by?))
    }
}

/// One provider of a row's waterfall.
#[derive(Debug, Clone, Copy)]
pub struct NewStep {
    /// The provider that is asked.
    pub provider: Provider,
    /// The index of the row's identifier to ask by. If it is `None`, the step counts only if another row makes the person
    /// known at this provider. That way no person is paid for twice because one row has fewer identifiers.
    pub asks_by: Option<u8>,
}
