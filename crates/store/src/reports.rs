//! The reports that are read: status, reasons, overview, rows, export.

mod blocked_batches;
pub(crate) mod blocked_reasons;
pub(crate) mod counts;
pub(crate) mod export;
pub(crate) mod outlook;
pub(crate) mod overview;
pub(crate) mod rows;
pub(crate) mod spend;
pub(crate) mod status;
pub(crate) mod unfinished;

use crate::store::Store;

/// Operations of reading status, reasons, rows and exports.
#[derive(Clone, Copy)]
pub struct Reports<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of reading status, reasons, rows and exports.
    #[must_use]
    pub fn reports(&self) -> Reports<'_> {
        Reports { store: self }
    }
}
