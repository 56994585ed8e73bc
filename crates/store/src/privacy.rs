//! Erasing people, and purging batches.

pub(crate) mod erase;
pub(crate) mod purge;
pub(crate) mod suppression;
