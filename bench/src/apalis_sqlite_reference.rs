//! Stock apalis-sqlite: one task a person, pushed by `push_bulk`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use futures::FutureExt;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use crate::apalis::{Apalis, PATIENCE};
use crate::apalis_work::{Work, handle};
use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::people::Task;
use crate::stack::Sandbox;

/// Measures all rates: with `tasks` tasks as shipped and with requests, with `most` tasks for the rest.
pub async fn measure(bench: &Bench, tasks: usize, most: usize) -> Result<Apalis> {
    let larger = || Config::default().batch_size(1_000);
    let (_, as_shipped) = run(bench, tasks, Config::default(), false, Work::nothing()).await?;
    let (push, repaired) = run(bench, most, larger(), true, Work::nothing()).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    let requests = Work::requests(bench, &sandbox)?;
    let (_, with_requests) = run(bench, tasks, larger(), true, requests).await?;
    Ok(Apalis { push, as_shipped, repaired, with_requests })
}

/// Pushes and runs all tasks; returns tasks a second for both steps.
async fn run(
    bench: &Bench,
    tasks: usize,
    config: Config,
    repair: bool,
    work: Arc<Work>,
) -> Result<(f64, f64)> {
    let database = Database::create(bench, Kind::Sqlite).await?;
    // Its own `setup` would turn `synchronous` off on one of the connections.
    let pool = SqlitePoolOptions::new().connect_with(database.sqlite()).await?;
    SqliteStorage::<()>::migrations().run(&pool).await?;
    if repair {
        // With this index, an acknowledgement reads every task this worker ever locked; without it, the primary key is used.
        sqlx::query("DROP INDEX LIdx").execute(&pool).await?;
    }
    let config = config.queue("bench");
    let mut storage = SqliteStorage::<Task>::new(&pool).with_config(config);
    let started = Instant::now();
    for first in (0..tasks).step_by(10_000) {
        let people = (first..(first + 10_000).min(tasks)).map(Task::new).collect();
        storage.push_bulk(people).await.ok().context("push_bulk failed")?;
    }
    let pushed = tasks as f64 / started.elapsed().as_secs_f64();
    let worked = work_off(&pool, storage, tasks, work).await?;
    pool.close().await;
    database.remove().await?;
    Ok((pushed, worked))
}

async fn work_off(
    pool: &SqlitePool,
    storage: SqliteStorage<Task>,
    tasks: usize,
    work: Arc<Work>,
) -> Result<f64> {
    let worker = WorkerBuilder::new("bench")
        .backend(storage)
        .concurrency(work.at_once())
        .data(Arc::clone(&work))
        .parallelize(tokio::spawn)
        .build(handle);
    let started = Instant::now();
    let running = tokio::spawn(worker.run().boxed());
    while work.handled() < tasks && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A handled task is not acknowledged yet.
    let done = "SELECT COUNT(*) FROM Jobs WHERE status = 'Done'";
    let mut acknowledged: i64 = sqlx::query_scalar(done).fetch_one(pool).await?;
    while (acknowledged as usize) < tasks && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        acknowledged = sqlx::query_scalar(done).fetch_one(pool).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    running.abort();
    let _ = running.await; // an error: the task was aborted
    Ok(acknowledged as f64 / seconds)
}
