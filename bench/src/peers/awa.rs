//! awa: tasks pushed by `enqueue_params_copy`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobError, JobResult, QueueConfig, QueueStorage,
    QueueStorageConfig, migrations,
};
use sqlx_0_8::PgPool;
use sqlx_0_8::postgres::PgPoolOptions;

use super::listener::Listener;
use super::order::{Load, Order, Sender};
use super::results::{Pool, Results};
use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::stack::Sandbox;

/// Its connections.
const CONNECTIONS: u32 = 20;

/// How often it looks for tasks.
const POLL: Duration = Duration::from_millis(20);

/// Pushes all people and waits for all results; returns people a second.
pub async fn run(bench: &Bench, load: Load, at_once: u16) -> Result<f64> {
    let database = Database::create(bench, Kind::Postgres).await?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&database.url).await?;
    migrations::run(&pool).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    let results_pool = sqlx::PgPool::connect(&database.url).await?;
    let (inbox, mut results) = Results::start(Pool::Postgres(results_pool.clone())).await?;
    let listener = Listener::start(inbox).await?;
    let sender = Sender::new(bench, &sandbox, load.provider, listener.base_url())?;
    let client = client(&pool, sender, at_once)?;
    client.start().await?;
    let started = Instant::now();
    let storage = QueueStorage::new(QueueStorageConfig::default())?;
    for orders in load.pushes() {
        let orders: Vec<_> = orders.iter().map(params).collect::<Result<_>>()?;
        storage.enqueue_params_copy(&pool, &orders).await?;
    }
    results.wait_for(load.people).await?;
    let seconds = started.elapsed().as_secs_f64();
    client.shutdown(Duration::from_secs(5)).await;
    drop((listener, results));
    results_pool.close().await;
    pool.close().await;
    database.remove().await?;
    Ok(load.people as f64 / seconds)
}

fn client(pool: &PgPool, sender: Sender, at_once: u16) -> Result<Client> {
    let sender = Arc::new(sender);
    let queue = QueueConfig {
        max_workers: at_once.into(),
        poll_interval: POLL,
        // Without deadlines, it claims and completes tasks in the shorter way.
        deadline_duration: Duration::ZERO,
        ..QueueConfig::default()
    };
    let handle = move |order: Order, _: &awa::JobContext| {
        let sender = Arc::clone(&sender);
        async move {
            let sent = sender.send(&order).await;
            sent.map(|()| JobResult::Completed)
                .map_err(|error| JobError::retryable_msg(format!("{error:#}")))
        }
    };
    Ok(Client::builder(pool.clone())
        .queue("default", queue)
        .register::<Order, _, _>(handle)
        .build()?)
}

fn params(order: &Order) -> Result<InsertParams> {
    Ok(InsertParams {
        kind: Order::kind().to_owned(),
        args: order.to_args()?,
        opts: InsertOpts::default(),
    })
}
