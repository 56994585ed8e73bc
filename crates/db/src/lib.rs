//! Databases in SQLite or Postgres behind one small interface: connections, transactions, statements, bulk writes, shared
//! commits and notifications. It knows nothing of what is kept in them: tables and migrations are its user's ([`Schema`]).
//!
//! Statements are written once, in the words of `dialect.rs`, and run by the methods of [`Conn`].

mod arg;
mod attached;
mod backend;
mod batcher;
pub mod bulk;
mod conn;
mod database;
mod dialect;
mod error;
mod postgres;
mod record;
mod redacted_url;
mod schema;
mod scrubbed;
mod signals;
mod sqlite;
mod transaction;
mod unusable;

pub use arg::{Arg, Ints, Texts, json};
pub use attached::Attached;
pub use batcher::{Batchers, Item, Outputs};
pub use conn::Conn;
pub use database::{Database, ParallelWriter};
pub use error::{DbError, Failure, Result, WorkError};
pub use schema::Schema;
pub use scrubbed::{Scrubbed, Traces};
pub use signals::{Subscription, Topic};
pub use sqlite::files::{sqlite_companions, sqlite_file};
pub use sqlite::other_file::number_in_file;
pub use sqlite::write_lock::{WriteGuard, WriteLock};
pub use transaction::{BoxFuture, Durability, Urgency};

#[cfg(test)]
mod tests;

/// What `record!` is made of.
#[doc(hidden)]
pub mod macros {
    pub use rusqlite;
    pub use sqlx;

    pub use crate::record::{Field, Places, Record};
}
