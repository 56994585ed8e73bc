use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, Postgres, Sqlite, Transaction};
use tempfile::TempDir;

/// The message if `TEST_POSTGRES_URL` names no server.
const NO_SERVER: &str = "TEST_POSTGRES_URL is not set, so half of this suite can't run; \
                         run it as: scripts/postgres -- cargo test -p store";

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// A separate database for one test.
pub struct Database {
    pub url: String,
    pool: Pool,
    /// The server's maintenance database and this one's name.
    server: Option<(String, String)>,
    _dir: Option<TempDir>,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    pub async fn create(dialect: Dialect) -> Database {
        match dialect {
            Dialect::Sqlite => {
                let dir = tempfile::tempdir().expect("a temporary directory");
                let url = format!("sqlite://{}", dir.path().join("ledger.db").display());
                let pool = SqlitePoolOptions::new().connect_lazy(&url).expect("a SQLite URL");
                Database { url, pool: Pool::Sqlite(pool), server: None, _dir: Some(dir) }
            }
            Dialect::Postgres => {
                let server = std::env::var("TEST_POSTGRES_URL").expect(NO_SERVER);
                let name = format!("conformance_{:032x}", rand::random::<u128>());
                let mut admin = PgConnection::connect(&server).await.expect(NO_SERVER);
                let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
                sqlx::query(create).execute(&mut admin).await.expect("creates a database");
                let (base, _) = server.rsplit_once('/').expect("a URL with a database");
                let url = format!("{base}/{name}");
                let pool = PgPoolOptions::new().max_connections(2).connect_lazy(&url);
                let pool = Pool::Postgres(pool.expect("a Postgres URL"));
                Database { url, pool, server: Some((server, name)), _dir: None }
            }
        }
    }

    pub async fn drop_it(self) {
        match self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
        if let Some((server, name)) = self.server {
            let mut admin = PgConnection::connect(&server).await.expect(NO_SERVER);
            let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            sqlx::query(drop).execute(&mut admin).await.expect("drops the database");
        }
    }

    /// All rows of a query, past the store.
    pub async fn all<T>(&self, sql: &str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let query = AssertSqlSafe(sql.to_owned());
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_as(query).fetch_all(pool).await,
            Pool::Postgres(pool) => sqlx::query_as(query).fetch_all(pool).await,
        }
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one row of a query.
    pub async fn one<T>(&self, sql: &str) -> T
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut rows = self.all(sql).await;
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0)
    }

    /// The single number of a query.
    pub async fn number(&self, sql: &str) -> i64 {
        self.one::<(i64,)>(sql).await.0
    }

    /// Begins a transaction of another writer; `None` on SQLite, which has only one writer.
    pub async fn transaction(&self) -> Option<Transaction<'static, Postgres>> {
        match &self.pool {
            Pool::Sqlite(_) => None,
            Pool::Postgres(pool) => Some(pool.begin().await.expect("a transaction")),
        }
    }

    /// Blocks other writers of a table; on SQLite, of all tables.
    pub async fn hold_writes(&self, table: &str) -> HeldWrites {
        match &self.pool {
            Pool::Sqlite(pool) => HeldWrites::Sqlite(
                pool.begin_with("BEGIN IMMEDIATE").await.expect("the write lock"),
            ),
            Pool::Postgres(pool) => {
                let mut held = pool.begin().await.expect("a transaction");
                let lock = AssertSqlSafe(format!("LOCK TABLE {table} IN EXCLUSIVE MODE"));
                sqlx::query(lock).execute(&mut *held).await.expect("the table's lock");
                HeldWrites::Postgres(held)
            }
        }
    }

    /// Returns once so many transactions wait for locks. For Postgres.
    pub async fn until_waiting(&self, transactions: i64) {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let looking = async { while self.number(waiting).await < transactions {} };
        tokio::time::timeout(PATIENCE, looking).await.expect("other transactions wait for locks");
    }

    /// Runs a statement past the store, as other parts of the program would.
    pub async fn run(&self, sql: &str) {
        self.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs a statement that the database must refuse; returns its message.
    pub async fn refused(&self, sql: &str) -> String {
        self.execute(sql).await.expect_err("it is refused").to_string()
    }

    async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let query = AssertSqlSafe(sql.to_owned());
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query(query).execute(pool).await.map(|_| ()),
            Pool::Postgres(pool) => sqlx::query(query).execute(pool).await.map(|_| ()),
        }
    }
}

/// A lock that blocks other writers.
pub enum HeldWrites {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl HeldWrites {
    /// Returns once another transaction waits for this lock. On SQLite it returns at once: a write begins with the lock.
    pub async fn until_blocking(&mut self) {
        match self {
            HeldWrites::Sqlite(_) => {}
            HeldWrites::Postgres(held) => until_blocking(held).await,
        }
    }

    /// Releases the lock.
    pub async fn release(self) {
        match self {
            HeldWrites::Sqlite(held) => held.rollback().await,
            HeldWrites::Postgres(held) => held.rollback().await,
        }
        .expect("the lock can be given back");
    }
}

/// Returns once another transaction waits for a lock that `held` has. Looks at `pg_locks`, because `pg_stat_activity`
/// stays the same within a transaction.
pub async fn until_blocking(held: &mut Transaction<'static, Postgres>) {
    const WAITING: &str = "SELECT COUNT(*) FROM pg_locks
         WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
    let looking = async {
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut **held).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("another transaction waits for the lock");
}
