use std::time::Duration;

use anyhow::Result;

use super::views::settled;
use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::{Asked, write_csv};
use crate::stack::{Results, Sandbox, Worker, enqueue};

/// How long the idle worker is observed.
const IDLE: Duration = Duration::from_secs(20);

/// All results are outstanding. Measures the worker that sent the requests, then a newly started one.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let n = bench.people(1_000_000);
    let database = Database::create(bench, kind).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    sandbox.hold_webhooks(bench, true).await?;
    let csv = write_csv(bench, Asked::OceanIds, 0, n)?;
    enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    std::fs::remove_file(csv)?;
    let sender = Worker::start(bench, &database, &sandbox, Results::ByWebhook, &[]).await?;
    let mut conn = database.connect().await?;
    settled(&mut conn, "queued + sending").await?;
    drop(conn);
    let sent = sender.process.usage();
    let idle_sender = idle(&sender).await;
    sender.process.stop().await?;
    let fresh = Worker::start(bench, &database, &sandbox, Results::ByWebhook, &[]).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle_fresh = idle(&fresh).await;
    let measurement = Measurement::new("waiting", kind, n)
        .below("rss_mb", sent.peak_mb, 60.0)
        .below("cpu_percent", idle_sender.max(idle_fresh), 1.0)
        .with("rss_mb_after_restart", fresh.process.usage().peak_mb);
    bench.report(&measurement)?;
    fresh.process.stop().await?;
    database.remove().await
}

/// The idle worker's use of one core, in per cent.
async fn idle(worker: &Worker) -> f64 {
    let before = worker.process.usage().cpu_seconds;
    tokio::time::sleep(IDLE).await;
    (worker.process.usage().cpu_seconds - before) / IDLE.as_secs_f64() * 100.0
}
