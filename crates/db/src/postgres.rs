//! Postgres: its pools, and telling other processes what changed.

pub(crate) mod notify;
pub(crate) mod open;
mod pooler;
