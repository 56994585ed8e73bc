//! Pools of connections, and the settings of a connection.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// How long a server may take to take a connection, or to start.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection that worked is trusted to still work.
const TRUSTED: Duration = Duration::from_secs(1);

/// A pool of so many connections.
pub(super) fn pool_of(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        // One that was in use just now is hardly dead: asking each time would be one more round trip.
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
}

/// Sends the settings when a connection is made. PgBouncer refuses them among the parameters with which one starts.
pub(super) fn with_settings(pool: PgPoolOptions, settings: &[(&str, &str)]) -> PgPoolOptions {
    let sql: String =
        settings.iter().map(|(name, value)| format!("SET {name} = '{value}';")).collect();
    pool.after_connect(move |conn, _| Box::pin(run(conn, sql.clone())))
}

async fn run(conn: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}
