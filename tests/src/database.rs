//! A SQLite file in a temporary directory, or a separate Postgres database. Plain SQL reads them, and
//! all values come back as text, so that a test is the same for both.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row, TypeInfo, ValueRef};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A database on the server of `TEST_POSTGRES_URL`.
    Postgres,
}

/// A database that is removed when this value is dropped.
pub struct Database {
    /// The URL that the binaries get.
    pub url: String,
    /// The kind of database.
    pub kind: Kind,
    pool: Pool,
    server: Option<(String, String)>,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    /// Creates an empty database; the binaries create the schema.
    pub async fn create(kind: Kind, directory: &Path) -> Database {
        match kind {
            Kind::Sqlite => sqlite(directory),
            Kind::Postgres => postgres().await,
        }
    }

    /// Makes a new role without further rights the owner of the database, and returns the role's URL. The role is
    /// dropped with the database.
    pub async fn own_role(&self) -> String {
        let (server, name) = self.server.as_ref().expect("a database of Postgres");
        for sql in [
            format!(
                "CREATE ROLE {name} LOGIN PASSWORD '{name}' NOSUPERUSER NOCREATEDB NOCREATEROLE"
            ),
            format!("ALTER DATABASE {name} OWNER TO {name}"),
            format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
        ] {
            admin(server, &sql).await.expect("a role can be made");
        }
        let (_, place) = server.split_once('@').expect("a user");
        let (place, _) = place.rsplit_once('/').expect("the URL names a database");
        format!("postgres://{name}:{name}@{place}/{name}")
    }

    /// All rows of a query, as text; NULL is the empty text.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// The same, where the query may fail.
    pub async fn try_rows(&self, sql: &str) -> Result<Vec<Vec<String>>, sqlx::Error> {
        // Not prepared, so that Postgres answers in text.
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.pool {
            Pool::Sqlite(pool) => Ok(sql.fetch_all(pool).await?.iter().map(sqlite_row).collect()),
            Pool::Postgres(pool) => {
                Ok(sql.fetch_all(pool).await?.iter().map(postgres_row).collect())
            }
        }
    }

    /// The first column of a query.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.into_iter().filter_map(|row| row.into_iter().next()).collect()
    }

    /// The first value of a query; the empty text if there is none.
    pub async fn text(&self, sql: &str) -> String {
        self.column(sql).await.into_iter().next().unwrap_or_default()
    }

    /// The first value of a query as a number.
    pub async fn int(&self, sql: &str) -> i64 {
        let text = self.text(sql).await;
        text.parse().unwrap_or_else(|_| panic!("{sql}\ngave {text:?}, no number"))
    }

    /// The file, for SQLite.
    pub fn file(&self) -> &str {
        self.url.trim_start_matches("sqlite://")
    }
}

fn sqlite(directory: &Path) -> Database {
    let url = format!("sqlite://{}", directory.join("reveal.db").display());
    let options = SqliteConnectOptions::from_str(&url)
        .expect("a path is a URL")
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(20));
    // No connection is kept. One that is open keeps the worker from putting the log away, and it would lose its locks where a
    // test reads and closes the file itself (<https://sqlite.org/howtocorrupt.html>, 2.2), and read an old state from then on.
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .after_release(|_, _| Box::pin(std::future::ready(Ok(false))))
        .connect_lazy_with(options);
    Database { url, kind: Kind::Sqlite, pool: Pool::Sqlite(pool), server: None }
}

async fn postgres() -> Database {
    let server = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    let server = server.expect(
        "TEST_POSTGRES_URL is not set: run the tests with a server, \
         scripts/postgres -- cargo test -p end-to-end (or scripts/test)",
    );
    let name = format!("e2e_{:016x}", rand::random::<u64>());
    admin(&server, &format!("CREATE DATABASE {name}")).await.expect("a database can be created");
    let options = PgConnectOptions::from_str(&server).expect("TEST_POSTGRES_URL").database(&name);
    let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    let url = format!("{base}/{name}");
    Database { url, kind: Kind::Postgres, pool: Pool::Postgres(pool), server: Some((server, name)) }
}

async fn admin(server: &str, sql: &str) -> Result<(), sqlx::Error> {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(server).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> Vec<String> {
    (0..row.len())
        .map(|n| {
            let value = row.try_get_raw(n).expect("a column");
            match value.type_info().name() {
                _ if value.is_null() => String::new(),
                "INTEGER" => row.get_unchecked::<i64, _>(n).to_string(),
                "REAL" => row.get_unchecked::<f64, _>(n).to_string(),
                _ => row.get_unchecked::<String, _>(n),
            }
        })
        .collect()
}

fn postgres_row(row: &sqlx::postgres::PgRow) -> Vec<String> {
    (0..row.len())
        .map(|n| {
            let value = row.try_get_raw(n).expect("a column");
            if value.is_null() { String::new() } else { value.as_str().expect("text").to_owned() }
        })
        .collect()
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((server, name)) = self.server.take() else { return };
        if std::env::var_os("E2E_KEEP").is_some() {
            return;
        }
        // A runtime can't block inside another runtime.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let dropping = async {
                admin(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
                admin(&server, &format!("DROP ROLE IF EXISTS {name}")).await
            };
            runtime.block_on(dropping).map_err(std::io::Error::other)
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("a test database was left behind: {error}");
        }
    }
}
