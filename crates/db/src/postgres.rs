//! Postgres: its pools, and telling other processes what changed.

pub(crate) mod connection;
mod migrate;
pub(crate) mod notify;
pub(crate) mod open;
mod plan_check;
mod pool;
mod pooler;
#[cfg(test)]
mod scratch;
