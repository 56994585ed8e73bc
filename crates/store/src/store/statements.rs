//! Prepares every statement in the ledger's source on both databases, those included that no other test runs: tables,
//! columns and types must exist as the statement names them.

mod source;

use std::sync::Arc;

use db::{Arg, Conn};
use jobs::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::store::Store;
use source::{Statement, statements};

/// Fewer than this many statements mean that the search has missed some.
const AT_LEAST: usize = 380;

/// No statement has as many parameters.
const MOST_PARAMETERS: usize = 20;

#[tokio::test]
async fn every_statement_fits_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("ledger.db").display());
    assert_all_fit(&Store::connect(&url, true, Clock::system()).await.unwrap()).await;
}

#[tokio::test]
async fn every_statement_fits_postgres() {
    let server = std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL names a server");
    let name = format!("statements_{:016x}", rand::random::<u64>());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let store = Store::connect(&url, true, Clock::system()).await.unwrap();
    assert_all_fit(&store).await;
    store.close().await;
    let drop_it = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    sqlx::raw_sql(drop_it).execute(&mut admin).await.unwrap();
}

async fn assert_all_fit(store: &Store) {
    let statements = statements();
    assert!(statements.len() >= AT_LEAST, "only {} statements were found", statements.len());
    let postgres = store.is_postgres();
    let mut wrong = Vec::new();
    for statement in statements.into_iter().filter(|it| postgres || !it.is_for_postgres_only()) {
        let prepared = Arc::new(Prepared::of(&statement, postgres));
        let fits = store.db.write(move |conn| {
            let prepared = Arc::clone(&prepared);
            Box::pin(async move { Ok(prepared.try_on(conn).await?) })
        });
        if let Err(error) = fits.await {
            wrong.push(format!("{}: {error}\n{}", statement.file, statement.sql));
        }
    }
    assert!(wrong.is_empty(), "{} don't fit:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A statement that prepares another one.
struct Prepared {
    sql: &'static str,
    /// How many parameters SQLite wants for it.
    parameters: usize,
}

impl Prepared {
    fn of(statement: &Statement, postgres: bool) -> Prepared {
        let sql = statement.written_out();
        let parameters =
            (1..MOST_PARAMETERS).rev().find(|n| sql.contains(&format!("${n}"))).unwrap_or(0);
        let (before, parameters) =
            if postgres { ("PREPARE tried AS ", 0) } else { ("EXPLAIN QUERY PLAN ", parameters) };
        // Statements are static texts everywhere; here they live as long as the test.
        Prepared { sql: Box::leak(format!("{before}{sql}").into_boxed_str()), parameters }
    }

    async fn try_on(&self, conn: &mut Conn) -> db::Result<()> {
        if self.sql.starts_with("PREPARE") {
            conn.execute(self.sql, &[]).await?;
            conn.execute("DEALLOCATE tried", &[]).await?;
            return Ok(());
        }
        let nothing: [&dyn Arg; MOST_PARAMETERS] = [&None::<i64>; MOST_PARAMETERS];
        conn.fetch_all::<(i64, i64, i64, String)>(self.sql, &nothing[..self.parameters]).await?;
        Ok(())
    }
}
