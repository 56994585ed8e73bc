//! The connections to a database, whichever it is.

use sqlx::PgPool;

use crate::postgres::notify::Notifier;
use crate::sqlite::connection::Readers;
use crate::sqlite::writer::Writer;

/// The connections of an open database.
#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite { writer: Writer, readers: Readers },
    Postgres { writers: PgPool, parallel: PgPool, readers: PgPool, notifier: Notifier },
}
