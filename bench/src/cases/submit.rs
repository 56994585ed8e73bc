use anyhow::Result;

use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::{Asked, write_csv};
use crate::prober::Prober;
use crate::reference;
use crate::stack::enqueue;

/// Roughly the rows in one transaction of the submit. The plain writes commit as many at once.
const ROWS_A_COMMIT: usize = 2_000;

/// Submits a file alone, for its own speed; then a file of other people, while small writes are timed.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let n = bench.people(1_000_000);
    let database = Database::create(bench, kind).await?;
    enqueue(bench, &database, &["migrate"]).await?;
    let csv = write_csv(bench, Asked::OceanIds, 0, n)?;
    let alone = enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    let bytes = database.bytes().await?;
    let mut measurement = Measurement::new("submit", kind, n)
        .rate(alone.seconds, kind.target(150_000.0, 60_000.0))
        .below("rss_mb", alone.peak_mb, 150.0)
        .with("cpu_seconds", alone.cpu_seconds)
        .with("bytes_a_row", bytes as f64 / n as f64);
    std::fs::remove_file(csv)?;
    if bench.with_reference {
        let raw = reference::raw(bench, kind, n, bytes, ROWS_A_COMMIT).await?;
        let apalis = reference::apalis(bench, kind).await?;
        measurement = measurement
            .with_reference("raw_writes", raw)
            .with_reference("apalis_push_bulk", apalis.push);
    }
    bench.report(&measurement)?;

    // Into the filled database: the larger the indexes, the longer a chunk takes.
    let csv = write_csv(bench, Asked::OceanIds, n, n)?;
    let prober = Prober::start(&database).await?;
    let probed = enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    let waits = prober.stop().await?;
    std::fs::remove_file(csv)?;
    let measurement = Measurement::new("wait_during_submit", kind, n)
        .below("max_ms", waits.max, 100.0)
        .with("p50_ms", waits.p50)
        .with("p99_ms", waits.p99)
        .with("probes", waits.probes)
        .with("submit_per_second", n as f64 / probed.seconds);
    bench.report(&measurement)?;
    database.remove().await
}
