use std::time::{Duration, Instant};

use anyhow::Result;

use super::views::settled;
use crate::bench::Bench;
use crate::database::Database;
use crate::http::{self, Webhook};
use crate::kind::Kind;
use crate::measurement::{Measurement, percentile};
use crate::people::{Asked, write_csv};
use crate::process::Ran;
use crate::stack::{Results, Sandbox, Worker, enqueue};

/// The pause between two webhooks. It makes about twenty a second, like a provider with 10,000 results a second.
const PAUSE: Duration = Duration::from_millis(50);

/// The time from a webhook to its 200: while a submit runs, and while the worker processes the submitted people.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let (known, load) = (bench.people(200_000), bench.people(500_000));
    let database = Database::create(bench, kind).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    sandbox.hold_webhooks(bench, true).await?;
    let worker = Worker::start(bench, &database, &sandbox, Results::ByWebhook, &[]).await?;
    let csv = write_csv(bench, Asked::OceanIds, 0, known)?;
    enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    let mut conn = database.connect().await?;
    settled(&mut conn, "queued + sending").await?;
    let signer = http::signer(&mut conn).await?;
    let calls = conn.texts("SELECT call_id FROM calls ORDER BY id").await?;
    let mut webhooks = Vec::with_capacity(calls.len());
    for call in calls {
        webhooks.push(http::ocean_webhook(&mut conn, &signer, &worker.listen, &call).await?);
    }
    let (first, second) = webhooks.split_at(webhooks.len() / 2);

    let csv = write_csv(bench, Asked::OceanIds, known, load)?;
    let args = ["submit", &csv.to_string_lossy()];
    let waits = while_running(bench, first, enqueue(bench, &database, &args)).await?;
    bench.report(&describe("webhook_during_submit", kind, waits))?;

    let mut waits = Vec::new();
    sandbox.hold_webhooks(bench, false).await?;
    let started = Instant::now();
    let left = "SELECT COUNT(*) FROM batch_status WHERE finished_at IS NULL";
    while started.elapsed() < Duration::from_secs(1)
        || (conn.number(left).await? > 0 && started.elapsed() < Duration::from_secs(60))
    {
        waits.push(next(bench, second, waits.len()).await?);
        tokio::time::sleep(PAUSE).await;
    }
    bench.report(&describe("webhook_during_drain", kind, waits))?;
    worker.process.stop().await?;
    drop(conn);
    database.remove().await
}

/// Posts webhooks one after the other until `work` has ended.
async fn while_running(
    bench: &Bench,
    webhooks: &[Webhook],
    work: impl Future<Output = Result<Ran>>,
) -> Result<Vec<f64>> {
    tokio::pin!(work);
    let mut waits = Vec::new();
    loop {
        // A post that is under way is finished when the work ends: a broken connection is no measurement.
        tokio::select! {
            ended = &mut work => { ended?; return Ok(waits) }
            () = tokio::time::sleep(PAUSE) => {}
        }
        let posting = next(bench, webhooks, waits.len());
        tokio::pin!(posting);
        let waited = tokio::select! {
            waited = &mut posting => waited?,
            ended = &mut work => { ended?; waits.push(posting.await?); return Ok(waits) }
        };
        waits.push(waited);
    }
}

/// Posts the `n`th webhook; after the last one, the first comes again.
async fn next(bench: &Bench, webhooks: &[Webhook], n: usize) -> Result<f64> {
    match webhooks.get(n % webhooks.len().max(1)) {
        Some(webhook) => http::post(bench, webhook).await,
        None => anyhow::bail!("there are no calls"),
    }
}

fn describe(name: &'static str, kind: Kind, mut waits: Vec<f64>) -> Measurement {
    waits.sort_by(f64::total_cmp);
    Measurement::new(name, kind, waits.len())
        .below("p99_ms", percentile(&waits, 0.99), 50.0)
        .with("p50_ms", percentile(&waits, 0.5))
        .with("max_ms", waits.last().copied().unwrap_or_default())
}
