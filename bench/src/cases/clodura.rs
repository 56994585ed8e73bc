use anyhow::Result;
use jobs::Provider;

use super::ocean::describe;
use crate::apalis::AT_ONCE;
use crate::bench::Bench;
use crate::drain::drain;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::Asked;
use crate::stack::Results;
use crate::{peers, reference};

/// One request a person, one webhook a person.
pub async fn by_webhook(bench: &Bench, kind: Kind) -> Result<()> {
    let target = kind.target(4_000.0, 2_500.0);
    run(bench, kind, "clodura_webhook", Results::ByWebhook, target).await
}

/// One request a person, and polls until there is a result.
pub async fn by_polling(bench: &Bench, kind: Kind) -> Result<()> {
    let target = kind.target(2_500.0, 1_500.0);
    run(bench, kind, "clodura_polling", Results::ByPolling, target).await
}

async fn run(
    bench: &Bench,
    kind: Kind,
    name: &'static str,
    results: Results,
    target: f64,
) -> Result<()> {
    let n = bench.people(20_000);
    let drained = drain(bench, kind, Asked::Addresses, n, results).await?;
    let measurement = Measurement::new(name, kind, n).rate(drained.seconds, target);
    let measurement = describe(measurement, &drained, n);
    // As many results as there are open requests (CLODURA_MAX_IN_FLIGHT) can share a commit.
    let mut measurement =
        reference::add_for_drain(bench, kind, measurement, n, drained.bytes, AT_ONCE).await?;
    if results == Results::ByWebhook {
        measurement = peers::add(bench, kind, measurement, Provider::Clodura, n).await?;
    }
    bench.report(&measurement)?;
    drained.database.remove().await
}
