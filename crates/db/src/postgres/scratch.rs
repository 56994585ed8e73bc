//! Databases of the tests.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::database::Database;
use crate::error::DbError;
use crate::tests::PEOPLE;

/// A database on the server of the tests, dropped by [`Scratch::drop_it`].
pub(crate) struct Scratch {
    url: String,
    name: String,
    admin: PgConnection,
}

impl Scratch {
    pub(crate) async fn create() -> Scratch {
        let server = std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL names a server");
        let name = format!("db_{:016x}", rand::random::<u64>());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
        let (rest, _) = server.rsplit_once('/').unwrap();
        Scratch { url: format!("{rest}/{name}"), name, admin }
    }

    /// Opens it. `parameters` are the URL's.
    pub(crate) async fn open(&self, parameters: &str) -> Database {
        let url = format!("{}{parameters}", self.url);
        Database::<DbError>::open(&url, &PEOPLE, true, true).await.unwrap()
    }

    /// A connection that knows nothing of this crate.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// What this crate connects by.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.url.parse().unwrap()
    }

    /// The text that a query gives.
    pub(crate) async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&mut self.connect().await).await.unwrap()
    }

    pub(crate) async fn drop_it(mut self) {
        let drop_it = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop_it)).execute(&mut self.admin).await.unwrap();
    }
}
