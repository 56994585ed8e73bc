use anyhow::Result;

use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::{Asked, write_csv};
use crate::stack::enqueue;

/// Cancels a whole batch, and retries its cancelled rows.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let n = bench.people(1_000_000);
    let database = Database::create(bench, kind).await?;
    let csv = write_csv(bench, Asked::OceanIds, 0, n)?;
    let submit = enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    std::fs::remove_file(csv)?;
    let batch = submit.stdout.trim();
    let cancel = ("cancel", vec!["cancel", batch]);
    let retry = ("retry", vec!["retry", batch, "--states", "cancelled"]);
    for (name, args) in [cancel, retry] {
        let done = enqueue(bench, &database, &args).await?;
        let measurement = Measurement::new(name, kind, n)
            .rate(done.seconds, kind.target(30_000.0, 10_000.0))
            .with("rss_mb", done.peak_mb)
            .with("cpu_seconds", done.cpu_seconds);
        bench.report(&measurement)?;
    }
    database.remove().await
}
