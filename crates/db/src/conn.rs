//! One connection to either database, and the macros that run statements on it.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Transaction};

use crate::attached::Attached;
use crate::error::Result;
use crate::signals::{Topic, Topics};
use crate::sqlite::connection::{Reader, Sqlite};

/// A connection that statements run on; within a transaction when they write.
pub struct Conn {
    inner: Inner,
    topics: Topics,
    attached: Attached,
    /// Another transaction, which is committed just before this one.
    commits_first: Option<Transaction<'static, Postgres>>,
}

enum Inner {
    Sqlite(Sqlite),
    SqliteReader(Reader),
    Postgres(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

/// The database's own connection, for the query macros.
pub enum Raw<'c> {
    /// To a SQLite file.
    Sqlite(&'c mut Sqlite),
    /// To a Postgres server.
    Postgres(&'c mut PgConnection),
}

impl Conn {
    pub(crate) fn sqlite(conn: Sqlite) -> Self {
        Conn::new(Inner::Sqlite(conn))
    }

    pub(crate) fn sqlite_reader(conn: Reader) -> Self {
        Conn::new(Inner::SqliteReader(conn))
    }

    pub(crate) fn postgres(conn: PoolConnection<Postgres>) -> Self {
        Conn::new(Inner::Postgres(conn))
    }

    pub(crate) fn transaction(tx: Transaction<'static, Postgres>) -> Self {
        Conn::new(Inner::Transaction(tx))
    }

    fn new(inner: Inner) -> Self {
        Conn {
            inner,
            topics: Topics::default(),
            attached: Attached::default(),
            commits_first: None,
        }
    }

    #[doc(hidden)]
    pub fn raw(&mut self) -> Raw<'_> {
        match &mut self.inner {
            Inner::Sqlite(c) => Raw::Sqlite(c),
            Inner::SqliteReader(c) => Raw::Sqlite(&mut c.conn),
            Inner::Postgres(c) => Raw::Postgres(c),
            Inner::Transaction(c) => Raw::Postgres(c),
        }
    }

    /// Commits what it did, if it is a transaction of Postgres'.
    pub(crate) async fn commit(self) -> Result<()> {
        if let Some(first) = self.commits_first {
            first.commit().await?;
        }
        if let Inner::Transaction(tx) = self.inner {
            tx.commit().await?;
        }
        Ok(())
    }

    /// Has the other transaction committed just before this one, while this one still holds its locks; and not at
    /// all, if this one fails.
    pub fn commit_after(&mut self, other: Conn) {
        if let Inner::Transaction(tx) = other.inner {
            self.commits_first = Some(tx);
        }
    }

    /// The same, with what is kept in memory beside its database.
    pub(crate) fn with_attached(self, attached: &Attached) -> Self {
        Conn { attached: attached.clone(), ..self }
    }

    /// What is kept in memory beside the database.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Wakes the subscriptions to `topic` once this transaction is committed.
    pub fn announce(&mut self, topic: impl Into<Topic>) {
        self.topics.insert(topic.into());
    }

    /// Whether another process waits for this transaction to end, as far as it can be known. On Postgres transactions wait
    /// for rows, not for whole transactions.
    pub fn is_waited_for(&mut self) -> bool {
        match self.raw() {
            Raw::Sqlite(conn) => conn.write_lock.is_taken(),
            Raw::Postgres(_) => false,
        }
    }

    pub(crate) fn take_topics(&mut self) -> Topics {
        std::mem::take(&mut self.topics)
    }
}

/// Runs a statement; gives the number of rows it changed.
#[macro_export]
macro_rules! exec {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::macros::Raw::Sqlite(c) => c.exec($sql, $crate::macros::rusqlite::params![$($arg),*]),
            $crate::macros::Raw::Postgres(c) => $crate::postgres!(query, $sql $(, $arg)*)
                .execute(c).await.map(|done| done.rows_affected()).map_err($crate::DbError::from),
        }
    };
}

/// Runs a query; gives all its rows as tuples or records.
#[macro_export]
macro_rules! rows {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::macros::Raw::Sqlite(c) => c.rows($sql, $crate::macros::rusqlite::params![$($arg),*]),
            $crate::macros::Raw::Postgres(c) => $crate::postgres!(query_as, $sql $(, $arg)*)
                .fetch_all(c).await.map_err($crate::DbError::from),
        }
    };
}

/// Runs a query; gives its first row, if there is one.
#[macro_export]
macro_rules! row {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::macros::Raw::Sqlite(c) => c.row($sql, $crate::macros::rusqlite::params![$($arg),*]),
            $crate::macros::Raw::Postgres(c) => $crate::postgres!(query_as, $sql $(, $arg)*)
                .fetch_optional(c).await.map_err($crate::DbError::from),
        }
    };
}

/// Runs a query of one column; gives its first value. An aggregate always has one.
#[macro_export]
macro_rules! value {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::macros::Raw::Sqlite(c) => c.value($sql, $crate::macros::rusqlite::params![$($arg),*]),
            $crate::macros::Raw::Postgres(c) => $crate::postgres!(query_scalar, $sql $(, $arg)*)
                .fetch_one(c).await.map_err($crate::DbError::from),
        }
    };
}

/// A statement in Postgres' form, with its parameters bound.
#[doc(hidden)]
#[macro_export]
macro_rules! postgres {
    ($query:ident, $sql:expr $(, $arg:expr)*) => {
        $crate::macros::sqlx::$query($crate::macros::Dialect::Postgres.text_of($sql))$(.bind($arg))*
    };
}
