//! What a user submits, and what they do with it afterwards.

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
