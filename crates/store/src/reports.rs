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
