//! The connections to a database, whichever it is.

use sqlx::PgPool;

use crate::db::postgres::notify::Notifier;
use crate::db::sqlite::connection::Readers;
use crate::db::sqlite::writer::Writer;

/// The connections of an open database.
#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite { writer: Writer, readers: Readers },
    Postgres { writers: PgPool, beside: PgPool, readers: PgPool, notifier: Notifier },
}
