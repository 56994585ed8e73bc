//! Postgres: its pools, and telling other processes what changed.

mod migrate;
pub(crate) mod notify;
pub(crate) mod open;
mod pool;
mod pooler;
#[cfg(test)]
mod scratch;
