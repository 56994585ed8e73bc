use anyhow::Result;

use crate::bench::Bench;
use crate::database::Database;
use crate::drain::drain;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::Asked;
use crate::stack::{Results, enqueue};

/// The whole of a finished batch as CSV.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let n = bench.people(1_000_000);
    let drained = drain(bench, kind, Asked::OceanIds, n, Results::ByWebhook).await?;
    let file = bench.dir.join("export.csv");
    let args = ["export", &drained.batch, "-o", &file.to_string_lossy()];
    let exported = enqueue(bench, &drained.database, &args).await?;
    let bytes = std::fs::metadata(&file)?.len();
    std::fs::remove_file(file)?;
    let mut measurement = Measurement::new("export", kind, n)
        .rate(exported.seconds, kind.target(200_000.0, 150_000.0))
        .with("rss_mb", exported.peak_mb)
        .with("cpu_seconds", exported.cpu_seconds)
        .with("file_bytes", bytes)
        .with("drained_per_second", n as f64 / drained.seconds)
        .with("worker_rss_mb", drained.worker.peak_mb);
    if bench.with_reference {
        measurement =
            measurement.with_reference("raw_reads", raw_reads(&drained.database, n).await?);
    }
    bench.report(&measurement)?;
    drained.database.remove().await
}

/// Reads only the user's columns of all rows; returns rows a second.
async fn raw_reads(database: &Database, n: usize) -> Result<f64> {
    let mut conn = database.connect().await?;
    let started = std::time::Instant::now();
    let rows = conn.rows("SELECT fields FROM batch_rows ORDER BY batch_id, row_number").await?;
    anyhow::ensure!(rows == n, "{rows} rows in place of {n}");
    Ok(n as f64 / started.elapsed().as_secs_f64())
}
