//! Stock apalis-sqlite: one task a person, pushed by `push_bulk`, worked off by a handler that does nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use futures::FutureExt;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use crate::bench::Bench;
use crate::database::{Database, Kind};
use crate::people::Task;
use crate::reference::{Apalis, PATIENCE};

/// `tasks` for what is measured as shipped, `most` for the rest.
pub async fn measure(bench: &Bench, tasks: usize, most: usize) -> Result<Apalis> {
    let (_, as_shipped) = run(bench, tasks, Config::default(), false).await?;
    let (push, repaired) = run(bench, most, Config::default().batch_size(1_000), true).await?;
    Ok(Apalis { push, as_shipped, repaired })
}

/// Pushes and works off; gives tasks a second for both.
async fn run(bench: &Bench, tasks: usize, config: Config, repair: bool) -> Result<(f64, f64)> {
    let database = Database::create(bench, Kind::Sqlite).await?;
    // Its own `setup` would turn `synchronous` off on one of the connections.
    let pool = SqlitePoolOptions::new().connect_with(database.sqlite()).await?;
    SqliteStorage::<()>::migrations().run(&pool).await?;
    if repair {
        // With it, an acknowledgement reads everything that this worker ever locked; without it, the primary key is used.
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
    let worked = work_off(&pool, storage, tasks).await?;
    pool.close().await;
    database.remove().await?;
    Ok((pushed, worked))
}

async fn work_off(pool: &SqlitePool, storage: SqliteStorage<Task>, tasks: usize) -> Result<f64> {
    let handled = Arc::new(AtomicUsize::new(0));
    let worker = WorkerBuilder::new("bench")
        .backend(storage)
        .data(Arc::clone(&handled))
        .parallelize(tokio::spawn)
        .build(handle);
    let started = Instant::now();
    let running = tokio::spawn(worker.run().boxed());
    while handled.load(Ordering::Relaxed) < tasks && started.elapsed() < PATIENCE {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // Handled is not acknowledged yet.
    let done = "SELECT COUNT(*) FROM Jobs WHERE status = 'Done'";
    let mut acknowledged: i64 = sqlx::query_scalar(done).fetch_one(pool).await?;
    while (acknowledged as usize) < tasks && started.elapsed() < PATIENCE {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        acknowledged = sqlx::query_scalar(done).fetch_one(pool).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    running.abort();
    let _ = running.await; // cancelled: that is what was asked for
    Ok(acknowledged as f64 / seconds)
}

async fn handle(_: Task, handled: Data<Arc<AtomicUsize>>) -> Result<(), BoxDynError> {
    handled.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
