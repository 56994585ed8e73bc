//! SQLite: one writing connection, several reading ones.

mod checkpoint;
pub(crate) mod close;
pub(crate) mod connection;
pub(crate) mod files;
pub(crate) mod functions;
pub(crate) mod migrate;
pub(crate) mod open;
pub(crate) mod other_file;
mod plan_check;
mod remains;
pub(crate) mod scrub;
mod wait;
pub(crate) mod write_lock;
pub(crate) mod writer;
