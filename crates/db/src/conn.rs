//! One connection to either database, and the statements that run on it.

use rusqlite::ToSql;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::{Postgres, Transaction};

use crate::arg::Arg;
use crate::attached::Attached;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::postgres::connection::Pg;
use crate::record::Record;
use crate::schema::Schema;
use crate::signals::{Topic, Topics};
use crate::sqlite::connection::{Reader, Sqlite};

/// A connection that statements run on; within a transaction when they write.
pub struct Conn {
    inner: Inner,
    topics: Topics,
    attached: Attached,
    /// The tables that no statement on Postgres may read whole here.
    schema: Option<&'static Schema>,
    /// Another transaction, which is committed just before this one.
    commits_first: Option<Transaction<'static, Postgres>>,
}

enum Inner {
    Sqlite(Sqlite),
    SqliteReader(Reader),
    Postgres(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

/// The driver's connection.
pub(crate) enum Raw<'c> {
    /// To a SQLite file.
    Sqlite(&'c mut Sqlite),
    /// To a Postgres server.
    Postgres(Pg<'c>),
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
            schema: None,
            commits_first: None,
        }
    }

    /// Runs a statement; returns the number of rows it changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn execute(&mut self, sql: &'static str, args: &[&dyn Arg]) -> Result<u64> {
        match self.raw() {
            Raw::Sqlite(conn) => conn.exec(sql, &parameters(args)),
            Raw::Postgres(conn) => {
                let (text, arguments) = postgres(sql, args)?;
                conn.execute(text, arguments).await
            }
        }
    }

    /// Runs a query; returns all its rows as tuples or records.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn fetch_all<T: Record>(
        &mut self,
        sql: &'static str,
        args: &[&dyn Arg],
    ) -> Result<Vec<T>> {
        match self.raw() {
            Raw::Sqlite(conn) => conn.rows(sql, &parameters(args)),
            Raw::Postgres(conn) => {
                let (text, arguments) = postgres(sql, args)?;
                conn.fetch_all(text, arguments).await
            }
        }
    }

    /// Runs a query; returns its first row, if there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn fetch_optional<T: Record>(
        &mut self,
        sql: &'static str,
        args: &[&dyn Arg],
    ) -> Result<Option<T>> {
        match self.raw() {
            Raw::Sqlite(conn) => conn.row(sql, &parameters(args)),
            Raw::Postgres(conn) => {
                let (text, arguments) = postgres(sql, args)?;
                conn.fetch_optional(text, arguments).await
            }
        }
    }

    /// Runs a query of one column; returns its first value. An aggregate always has one.
    ///
    /// # Errors
    /// Those of the database; the query has no row.
    pub async fn fetch_value<T>(&mut self, sql: &'static str, args: &[&dyn Arg]) -> Result<T>
    where
        (T,): Record,
    {
        let first = self.fetch_optional::<(T,)>(sql, args).await?;
        first.map(|(value,)| value).ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    pub(crate) fn raw(&mut self) -> Raw<'_> {
        match &mut self.inner {
            Inner::Sqlite(c) => Raw::Sqlite(c),
            Inner::SqliteReader(c) => Raw::Sqlite(&mut c.conn),
            Inner::Postgres(conn) => Raw::Postgres(Pg { conn, schema: self.schema }),
            Inner::Transaction(conn) => Raw::Postgres(Pg { conn, schema: self.schema }),
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

    /// The same, with what is kept in memory next to its database.
    pub(crate) fn with_attached(self, attached: &Attached) -> Self {
        Conn { attached: attached.clone(), ..self }
    }

    /// The same, with the plan of each statement on Postgres checked in debug builds.
    pub(crate) fn checked_by(self, schema: &'static Schema) -> Self {
        Conn { schema: Some(schema), ..self }
    }

    /// What is kept in memory next to the database.
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

fn parameters<'a>(args: &[&'a dyn Arg]) -> Vec<&'a dyn ToSql> {
    args.iter().map(|arg| *arg as &dyn ToSql).collect()
}

/// A statement in Postgres' form, and its parameters.
fn postgres(sql: &'static str, args: &[&dyn Arg]) -> Result<(&'static str, PgArguments)> {
    let mut arguments = PgArguments::default();
    for arg in args {
        arg.add_to(&mut arguments).map_err(sqlx::Error::Encode)?;
    }
    Ok((Dialect::Postgres.text_of(sql), arguments))
}
