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
pub(crate) mod submit;
