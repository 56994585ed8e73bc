use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row, SqliteConnection};

use crate::bench::Bench;
use crate::kind::Kind;

/// A separate database for one measurement.
pub struct Database {
    pub kind: Kind,
    pub url: String,
    name: String,
    file: PathBuf,
    server: Option<PgConnectOptions>,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// Creates an empty database.
    pub async fn create(bench: &Bench, kind: Kind) -> Result<Database> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{}_{number}", std::process::id());
        let file = bench.dir.join(format!("{name}.db"));
        if kind == Kind::Sqlite {
            let url = format!("sqlite://{}", file.display());
            return Ok(Database { kind, url, name, file, server: None });
        }
        let base = bench.postgres_url.as_deref();
        let base = base.context("no Postgres: give --postgres-url, or use scripts/bench")?;
        let server = PgConnectOptions::from_str(base)?;
        let mut maintenance = Conn::Postgres(server.connect().await?);
        maintenance.execute(&format!("CREATE DATABASE {name}")).await?;
        let mut url: url::Url = base.parse()?;
        url.set_path(&name);
        Ok(Database { kind, url: url.into(), name, file, server: Some(server) })
    }

    /// A connection as durable as the product's.
    pub async fn connect(&self) -> Result<Conn> {
        Ok(match self.kind {
            Kind::Sqlite => Conn::Sqlite(self.sqlite().connect().await?),
            Kind::Postgres => {
                Conn::Postgres(PgConnectOptions::from_str(&self.url)?.connect().await?)
            }
        })
    }

    /// How SQLite is opened: WAL, `synchronous=FULL`.
    pub fn sqlite(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
    }

    /// The size of its tables and indexes.
    pub async fn bytes(&self) -> Result<i64> {
        let mut conn = self.connect().await?;
        conn.number(match self.kind {
            Kind::Sqlite => {
                "SELECT (page_count - freelist_count) * page_size
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
            }
            Kind::Postgres => {
                "SELECT CAST(SUM(pg_total_relation_size(c.oid)) AS BIGINT) FROM pg_class c
                JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            }
        })
        .await
    }

    /// Removes the database.
    pub async fn remove(self) -> Result<()> {
        let Some(server) = &self.server else {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", self.file.display()));
            }
            return Ok(());
        };
        let mut maintenance = Conn::Postgres(server.connect().await?);
        maintenance.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        Ok(())
    }
}

/// A connection to a database of either kind.
pub enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    /// Runs a statement; returns the number of changed rows.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let query = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Conn::Sqlite(c) => sqlx::query(query).execute(c).await?.rows_affected(),
            Conn::Postgres(c) => sqlx::query(query).execute(c).await?.rows_affected(),
        })
    }

    /// Runs a query; returns only the number of its rows.
    pub async fn rows(&mut self, sql: &str) -> Result<usize> {
        let query = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Conn::Sqlite(c) => sqlx::query(query).fetch_all(c).await?.len(),
            Conn::Postgres(c) => sqlx::query(query).fetch_all(c).await?.len(),
        })
    }

    /// Runs a query that returns a single number.
    pub async fn number(&mut self, sql: &str) -> Result<i64> {
        let query = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Conn::Sqlite(c) => sqlx::query(query).fetch_one(c).await?.try_get(0)?,
            Conn::Postgres(c) => sqlx::query(query).fetch_one(c).await?.try_get(0)?,
        })
    }

    /// The first column of all rows, as text.
    pub async fn texts(&mut self, sql: &str) -> Result<Vec<String>> {
        let query = AssertSqlSafe(sql.to_owned());
        let texts: Result<Vec<String>, sqlx::Error> = match self {
            Conn::Sqlite(c) => {
                sqlx::query(query).fetch_all(c).await?.iter().map(|row| row.try_get(0)).collect()
            }
            Conn::Postgres(c) => {
                sqlx::query(query).fetch_all(c).await?.iter().map(|row| row.try_get(0)).collect()
            }
        };
        Ok(texts?)
    }
}
