//! A pooler such as PgBouncer between this program and the server.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};

/// What a pooler does with the server's sessions.
pub(super) enum Pooling {
    /// Each connection keeps its session. There may be no pooler at all.
    Session,
    /// After a transaction, another connection may get the session, with its settings, prepared statements and subscriptions.
    Shared,
    /// There is no session for another connection.
    Exhausted,
}

/// Finds out by a second connection. `first` is a connection that was just made.
pub(super) async fn pooling(
    first: &mut PgConnection,
    options: &PgConnectOptions,
    patience: Duration,
) -> sqlx::Result<Pooling> {
    let compared = tokio::time::timeout(patience, compare(first, options)).await;
    compared.unwrap_or(Ok(Pooling::Exhausted))
}

async fn compare(first: &mut PgConnection, options: &PgConnectOptions) -> sqlx::Result<Pooling> {
    let before = session(first).await?;
    let mut second = PgConnection::connect_with(options).await?;
    // If the first connection gave its session back, the second gets it, and keeps it for its transaction.
    if sqlx::raw_sql("BEGIN").execute(&mut second).await.is_err() {
        return Ok(Pooling::Shared);
    }
    let (held, after) = (session(&mut second).await?, session(first).await?);
    let _ = second.close().await;
    Ok(if held == before || after != before { Pooling::Shared } else { Pooling::Session })
}

/// The server's process. Asked without a prepared statement: another session would not have it.
async fn session(conn: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(conn).await?.try_get(0)
}
