//! riverqueue: tasks pushed by `insert_many`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use riverqueue::migrate::{PostgresMigrator, SqliteMigrator};
use riverqueue::{Client, Job, QueueConfig, WorkContext, WorkOutcome, Workers};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;

use super::listener::Listener;
use super::order::{Load, Order, Sender};
use super::results::{Pool, Results};
use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::stack::Sandbox;

/// How often it looks for tasks, and the shortest time between two looks.
const POLL: Duration = Duration::from_millis(20);
const COOLDOWN: Duration = Duration::from_millis(2);

/// Pushes all people and waits for all results; returns people a second.
pub async fn run(bench: &Bench, kind: Kind, load: Load, at_once: u16) -> Result<f64> {
    let database = Database::create(bench, kind).await?;
    let pool = connect(&database).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    let (inbox, mut results) = Results::start(pool.clone()).await?;
    let listener = Listener::start(inbox).await?;
    let sender = Sender::new(bench, &sandbox, load.provider, listener.base_url())?;
    let client = client(&pool, sender, at_once)?;
    let mut running = client.start()?;
    let started = Instant::now();
    for orders in load.pushes() {
        client.insert_many(orders).await?;
    }
    results.wait_for(load.people).await?;
    let seconds = started.elapsed().as_secs_f64();
    running.stop().await?;
    drop((listener, results));
    match pool {
        Pool::Sqlite(pool) => pool.close().await,
        Pool::Postgres(pool) => pool.close().await,
    }
    database.remove().await?;
    Ok(load.people as f64 / seconds)
}

/// Opens the database, and creates the queue's tables.
async fn connect(database: &Database) -> Result<Pool> {
    Ok(match database.kind {
        Kind::Sqlite => {
            // SQLite has one writer. With one connection, writers wait in the pool and not in SQLite, which sleeps.
            let pool = SqlitePoolOptions::new().max_connections(1);
            let pool = pool.connect_with(database.sqlite()).await?;
            SqliteMigrator::new(pool.clone()).migrate_up().await?;
            Pool::Sqlite(pool)
        }
        Kind::Postgres => {
            let pool = PgPoolOptions::new().connect(&database.url).await?;
            PostgresMigrator::new(pool.clone()).migrate_up().await?;
            Pool::Postgres(pool)
        }
    })
}

fn client(pool: &Pool, sender: Sender, at_once: u16) -> Result<Client> {
    let mut workers = Workers::new();
    let sender = Arc::new(sender);
    workers.add_fn(move |_: WorkContext, job: Job<Order>| {
        let sender = Arc::clone(&sender);
        async move { sender.send(&job.args).await.map(|()| WorkOutcome::Complete) }
    })?;
    let builder = match pool {
        Pool::Sqlite(pool) => Client::builder(pool.clone()),
        Pool::Postgres(pool) => Client::builder(pool.clone()),
    };
    let queue = QueueConfig::new(at_once.into()).with_fetch_poll_interval(POLL);
    Ok(builder.workers(workers).fetch_cooldown(COOLDOWN).queue("default", queue).build()?)
}
