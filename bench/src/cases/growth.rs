use std::io::Write;

use anyhow::Result;

use crate::bench::Bench;
use crate::drain::drain;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::Asked;
use crate::stack::Results;

const STEPS: [usize; 9] =
    [10_000, 30_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000];

/// The same work for more and more people: time and memory per person should stay constant.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let new = !bench.growth_csv.exists();
    let mut table =
        std::fs::OpenOptions::new().create(true).append(true).open(&bench.growth_csv)?;
    if new {
        writeln!(
            table,
            "db,people,submit_seconds,drain_seconds,submit_rss_mb,worker_rss_mb,worker_cpu_seconds,bytes"
        )?;
    }
    for n in STEPS.into_iter().filter(|n| *n <= bench.growth_most) {
        let drained = drain(bench, kind, Asked::OceanIds, n, Results::ByWebhook).await?;
        let after_submit = drained.seconds - drained.submit_seconds;
        writeln!(
            table,
            "{kind},{n},{:.3},{after_submit:.3},{:.1},{:.1},{:.2},{}",
            drained.submit_seconds,
            drained.submit_peak_mb,
            drained.worker.peak_mb,
            drained.worker.cpu_seconds,
            drained.bytes,
        )?;
        let measurement = Measurement::new("growth", kind, n)
            .with("seconds", drained.seconds)
            .with("per_second", n as f64 / drained.seconds);
        bench.report(&super::ocean::describe(measurement, &drained, n))?;
        drained.database.remove().await?;
    }
    Ok(())
}
