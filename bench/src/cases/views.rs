use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::database::{Conn, Database};
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::{Asked, write_csv};
use crate::stack::{Results, Sandbox, Worker, enqueue};

const BATCHES: usize = 20;
/// How often each query runs; the slowest run counts.
const TIMES: usize = 3;

/// The ready queries over twenty batches: half of them finished, the others out at the provider.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let n = bench.people(1_000_000);
    let each = n / BATCHES;
    let database = Database::create(bench, kind).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    let worker = Worker::start(bench, &database, &sandbox, Results::ByWebhook, &[]).await?;
    let mut conn = database.connect().await?;
    for batch in 0..BATCHES {
        if batch == BATCHES / 2 {
            settled(&mut conn, "queued + sending + awaiting").await?;
            sandbox.hold_webhooks(bench, true).await?;
        }
        let csv = write_csv(bench, Asked::OceanIds, batch * each, each)?;
        enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
        std::fs::remove_file(csv)?;
    }
    settled(&mut conn, "queued + sending").await?;
    worker.process.stop().await?;
    let mut measurement = Measurement::new("views", kind, n);
    for (name, sql) in queries()? {
        let slowest = slowest(&mut conn, &sql).await.context(name.clone())?;
        measurement = measurement.below(&format!("{name}_ms"), slowest, 200.0);
    }
    bench.report(&measurement)?;
    drop(conn);
    database.remove().await
}

/// Waits until no row is in these states any more.
pub async fn settled(conn: &mut Conn, states: &str) -> Result<()> {
    let left = format!("SELECT CAST(COALESCE(SUM({states}), 0) AS BIGINT) FROM batch_status");
    let started = Instant::now();
    while conn.number(&left).await? > 0 {
        anyhow::ensure!(started.elapsed().as_secs() < 600, "still {states} after ten minutes");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}

fn queries() -> Result<Vec<(String, String)>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/status");
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "sql") {
            let name = path.file_stem().context("a file without a name")?.to_string_lossy();
            queries.push((name.replace('-', "_"), std::fs::read_to_string(&path)?));
        }
    }
    queries.sort();
    Ok(queries)
}

async fn slowest(conn: &mut Conn, sql: &str) -> Result<f64> {
    let mut slowest = 0.0_f64;
    for _ in 0..TIMES {
        let started = Instant::now();
        conn.rows(sql).await?;
        slowest = slowest.max(started.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(slowest)
}
