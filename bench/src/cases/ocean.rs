use anyhow::Result;
use jobs::Provider;

use crate::bench::Bench;
use crate::drain::{Drained, drain};
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::Asked;
use crate::stack::Results;
use crate::{peers, reference};

/// 200,000 people at a provider that answers at once.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let n = bench.people(200_000);
    let drained = drain(bench, kind, Asked::OceanIds, n, Results::ByWebhook).await?;
    let measurement = describe(
        Measurement::new("ocean", kind, n).rate(drained.seconds, kind.target(50_000.0, 25_000.0)),
        &drained,
        n,
    );
    // A webhook for 500 is one transaction.
    let measurement =
        reference::add_for_drain(bench, kind, measurement, n, drained.bytes, 500).await?;
    let measurement = peers::add(bench, kind, measurement, Provider::Ocean, n).await?;
    bench.report(&measurement)?;
    drained.database.remove().await
}

/// Adds the times of the phases, and the resources used.
pub fn describe(measurement: Measurement, drained: &Drained, n: usize) -> Measurement {
    let after_submit = drained.seconds - drained.submit_seconds;
    measurement
        .with("submit_seconds", drained.submit_seconds)
        .with("drain_per_second", n as f64 / after_submit)
        .with("submit_rss_mb", drained.submit_peak_mb)
        .with("worker_rss_mb", drained.worker.peak_mb)
        .with("worker_cpu_seconds", drained.worker.cpu_seconds)
        .with("sandbox_cpu_seconds", drained.sandbox.cpu_seconds)
        .with("bytes_a_person", drained.bytes as f64 / n as f64)
}
