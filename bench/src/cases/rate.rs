use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::bench::Bench;
use crate::database::Database;
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::people::{Asked, write_csv};
use crate::stack::{Results, Sandbox, Worker, enqueue};

/// The rate that the sandbox allows, requests a second.
const ALLOWED: f64 = 20.0;

/// How a provider counts: up to 20 requests in any second, or single requests at equal intervals.
const COUNTED: [(&str, u32); 2] = [("in a second", 20), ("one by one", 1)];

/// A provider that allows twenty requests a second: once with the rate set right, once fifty times too high.
pub async fn run(bench: &Bench, kind: Kind) -> Result<()> {
    let settle = |full: f64| Duration::from_secs_f64(full * bench.scale.clamp(0.1, 1.0));
    for (counted, burst) in COUNTED {
        let limits = Limits { counted, burst };
        let right = measure(bench, kind, limits, "20/s", settle(5.0), settle(40.0)).await?;
        bench.report(&right)?;
        let high = measure(bench, kind, limits, "1000/s", settle(120.0), settle(45.0)).await?;
        bench.report(&high)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Limits {
    counted: &'static str,
    burst: u32,
}

async fn measure(
    bench: &Bench,
    kind: Kind,
    limits: Limits,
    rate: &'static str,
    settle: Duration,
    watched: Duration,
) -> Result<Measurement> {
    let people = ((settle + watched).as_secs_f64() * ALLOWED * 1.5) as usize;
    let database = Database::create(bench, kind).await?;
    let burst = format!("clodura.limits.burst={}", limits.burst);
    let sandbox = Sandbox::start(bench, &["clodura.limits.rate_per_second=20", &burst]).await?;
    let settings = [("CLODURA_RATE", rate)];
    let worker = Worker::start(bench, &database, &sandbox, Results::ByWebhook, &settings).await?;
    let csv = write_csv(bench, Asked::Addresses, 0, people)?;
    enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    tokio::time::sleep(settle).await;
    let before = counts(&sandbox.stats(bench).await?);
    let started = std::time::Instant::now();
    tokio::time::sleep(watched).await;
    let after = counts(&sandbox.stats(bench).await?);
    let seconds = started.elapsed().as_secs_f64();
    let (passed, refused) = (after.0 - before.0, after.1 - before.1);
    let used = passed / (ALLOWED * seconds) * 100.0;
    let refused_percent = refused / (passed + refused).max(1.0) * 100.0;
    worker.process.stop().await?;
    database.remove().await?;
    Ok(Measurement::new("rate", kind, passed as usize)
        .with("set_to", rate)
        .with("counted", limits.counted)
        .target("used_percent at least 95".into(), used >= 95.0)
        .with("used_percent", used)
        .below("refused_percent", refused_percent, 1.0)
        .with("refused_while_settling", before.1)
        .with("passed_while_settling", before.0))
}

/// Clodura's answers so far: how many passed, and how many had status 429.
fn counts(stats: &Value) -> (f64, f64) {
    let (mut passed, mut refused) = (0.0, 0.0);
    let endpoints = stats["requests"].as_object().into_iter().flatten();
    for (_, statuses) in endpoints.filter(|(name, _)| name.starts_with("clodura")) {
        for (status, n) in statuses.as_object().into_iter().flatten() {
            let n = n.as_f64().unwrap_or_default();
            if status == "429" { refused += n } else { passed += n }
        }
    }
    (passed, refused)
}
