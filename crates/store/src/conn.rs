//! One connection, whichever database it leads to, and the little that differs between the two.

use std::borrow::Cow;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use crate::changes::{Topic, Topics};

/// A connection that the ledger's operations run on; within a transaction when they write.
pub struct Conn {
    inner: Inner,
    topics: Topics,
}

enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

/// The database's own connection, for the query macros.
pub(crate) enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Conn {
    pub(crate) fn sqlite(conn: PoolConnection<Sqlite>) -> Self {
        Conn { inner: Inner::Sqlite(conn), topics: Topics::default() }
    }

    pub(crate) fn postgres(conn: PoolConnection<Postgres>) -> Self {
        Conn { inner: Inner::Postgres(conn), topics: Topics::default() }
    }

    pub(crate) fn transaction(tx: Transaction<'static, Postgres>) -> Self {
        Conn { inner: Inner::Transaction(tx), topics: Topics::default() }
    }

    pub(crate) fn raw(&mut self) -> Raw<'_> {
        match &mut self.inner {
            Inner::Sqlite(c) => Raw::Sqlite(c),
            Inner::Postgres(c) => Raw::Postgres(c),
            Inner::Transaction(c) => Raw::Postgres(c),
        }
    }

    /// The transaction, to end it.
    pub(crate) fn into_transaction(self) -> Option<Transaction<'static, Postgres>> {
        match self.inner {
            Inner::Transaction(tx) => Some(tx),
            Inner::Sqlite(_) | Inner::Postgres(_) => None,
        }
    }

    /// Wakes those who wait for `topic` once this transaction is committed.
    pub(crate) fn announce(&mut self, topic: Topic) {
        self.topics.insert(topic);
    }

    pub(crate) fn take_topics(&mut self) -> Topics {
        std::mem::take(&mut self.topics)
    }
}

/// SQLite's form of a statement: `EACH($1)` and `IDS($1)` are the elements of a JSON array, of
/// objects and of numbers; `JSON_ROWS(a, b))` is all rows in one value, an array of arrays; rows need
/// no locks, since there is one writer.
pub(crate) fn sqlite_sql(sql: &'static str) -> AssertSqlSafe<Cow<'static, str>> {
    AssertSqlSafe(elements_first(rewrite(
        sql,
        &[
            ("EACH(", "json_each("),
            ("IDS(", "json_each("),
            ("TEXTS(", "json_each("),
            ("JSON_ROWS(", "json_group_array(json_array("),
            (" FOR UPDATE SKIP LOCKED", ""),
            (" FOR UPDATE", ""),
        ],
    )))
}

/// SQLite's planner takes an array for long and may read it once for each row of a table. `CROSS`
/// before the `JOIN` says: each element first, then the table by its index.
fn elements_first(sql: Cow<'static, str>) -> Cow<'static, str> {
    const ELEMENTS: &str = "json_each($1) AS e";
    let mut pieces = sql.split(ELEMENTS);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(ELEMENTS);
        if piece.trim_start().starts_with("JOIN ") {
            text.push_str(" CROSS");
        }
        text.push_str(piece);
    }
    Cow::Owned(text)
}

/// Postgres' form of a statement.
pub(crate) fn postgres_sql(sql: &'static str) -> AssertSqlSafe<Cow<'static, str>> {
    AssertSqlSafe(rewrite(
        sql,
        &[
            ("EACH($1)", "json_array_elements(CAST($1 AS json))"),
            ("IDS($1)", "json_array_elements_text(CAST($1 AS json))"),
            ("TEXTS($1)", "json_array_elements_text(CAST($1 AS json))"),
            ("JSON_ROWS(", "json_agg(json_build_array("),
        ],
    ))
}

fn rewrite(sql: &'static str, replacements: &[(&str, &str)]) -> Cow<'static, str> {
    replacements.iter().fold(Cow::Borrowed(sql), |text, (from, to)| {
        if text.contains(from) { Cow::Owned(text.replace(from, to)) } else { text }
    })
}

/// Runs a statement; gives the number of rows it changed.
macro_rules! exec {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::conn::Raw::Sqlite(c) => sqlx::query($crate::conn::sqlite_sql($sql))
                $(.bind($arg))*.execute(c).await.map(|done| done.rows_affected()),
            $crate::conn::Raw::Postgres(c) => sqlx::query($crate::conn::postgres_sql($sql))
                $(.bind($arg))*.execute(c).await.map(|done| done.rows_affected()),
        }
    };
}

/// Runs a query; gives all its rows as tuples or `FromRow` types.
macro_rules! rows {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::conn::Raw::Sqlite(c) => sqlx::query_as($crate::conn::sqlite_sql($sql))
                $(.bind($arg))*.fetch_all(c).await,
            $crate::conn::Raw::Postgres(c) => sqlx::query_as($crate::conn::postgres_sql($sql))
                $(.bind($arg))*.fetch_all(c).await,
        }
    };
}

/// Runs a query; gives its first row, if there is one.
macro_rules! row {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::conn::Raw::Sqlite(c) => sqlx::query_as($crate::conn::sqlite_sql($sql))
                $(.bind($arg))*.fetch_optional(c).await,
            $crate::conn::Raw::Postgres(c) => sqlx::query_as($crate::conn::postgres_sql($sql))
                $(.bind($arg))*.fetch_optional(c).await,
        }
    };
}

/// Runs a query of one column; gives its first value. An aggregate always has one.
macro_rules! value {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn.raw() {
            $crate::conn::Raw::Sqlite(c) => sqlx::query_scalar($crate::conn::sqlite_sql($sql))
                $(.bind($arg))*.fetch_one(c).await,
            $crate::conn::Raw::Postgres(c) => sqlx::query_scalar($crate::conn::postgres_sql($sql))
                $(.bind($arg))*.fetch_one(c).await,
        }
    };
}

pub(crate) use {exec, row, rows, value};
