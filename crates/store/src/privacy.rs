//! Erasing people, and purging batches.

pub(crate) mod erase;
pub(crate) mod purge;
mod retention;
mod scrub;
pub(crate) mod suppression;
