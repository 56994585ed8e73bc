//! Postgres: its pools, and notifications of changes to other processes.

pub(crate) mod connection;
mod migrate;
pub(crate) mod notify;
pub(crate) mod open;
mod plan_check;
mod pool;
mod pooler;
#[cfg(test)]
mod scratch;
