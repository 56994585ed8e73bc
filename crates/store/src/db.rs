//! Two databases behind one small interface: connections, transactions, statements, bulk writes, notifications.
//! Nothing in here knows a provider, a person or a batch.

pub(crate) mod attached;
mod backend;
pub(crate) mod batcher;
pub(crate) mod bulk;
pub(crate) mod conn;
pub(crate) mod database;
pub(crate) mod dialect;
pub(crate) mod postgres;
pub(crate) mod record;
mod redacted_url;
pub(crate) mod sets;
pub(crate) mod signals;
pub(crate) mod sqlite;
pub(crate) mod transaction;
mod unusable;
