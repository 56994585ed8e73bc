//! Submit, then wait until every result is applied.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::Bench;
use crate::database::{Conn, Database};
use crate::kind::Kind;
use crate::people::{Asked, write_csv};
use crate::process::Usage;
use crate::stack::{Results, Sandbox, Worker, enqueue};

/// The results of a whole drain.
pub struct Drained {
    pub database: Database,
    pub batch: String,
    /// From the start of the submit to the last result applied.
    pub seconds: f64,
    pub submit_seconds: f64,
    pub submit_peak_mb: f64,
    pub worker: Usage,
    pub sandbox: Usage,
    pub bytes: i64,
}

/// Submits `people` to a database with a running worker, and waits for all results.
pub async fn drain(
    bench: &Bench,
    kind: Kind,
    asked: Asked,
    people: usize,
    results: Results,
) -> Result<Drained> {
    let csv = write_csv(bench, asked, 0, people)?;
    let database = Database::create(bench, kind).await?;
    let sandbox = Sandbox::start(bench, &[]).await?;
    let worker = Worker::start(bench, &database, &sandbox, results, &[]).await?;
    let (before, sandbox_before) = (worker.process.usage(), sandbox.process.usage());
    let started = Instant::now();
    let submit = enqueue(bench, &database, &["submit", &csv.to_string_lossy()]).await?;
    let batch = submit.stdout.trim().to_owned();
    let mut conn = database.connect().await?;
    wait_finished(&mut conn, &batch, Duration::from_secs(900)).await?;
    let seconds = started.elapsed().as_secs_f64();
    let after = worker.process.usage();
    let used = |after: Usage, before: Usage| Usage {
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        ..after
    };
    let sandbox_used = used(sandbox.process.usage(), sandbox_before);
    let bytes = database.bytes().await?;
    worker.process.stop().await?;
    std::fs::remove_file(csv)?;
    Ok(Drained {
        database,
        batch,
        seconds,
        submit_seconds: submit.seconds,
        submit_peak_mb: submit.peak_mb,
        worker: used(after, before),
        sandbox: sandbox_used,
        bytes,
    })
}

/// Waits until a batch is finished.
pub async fn wait_finished(conn: &mut Conn, batch: &str, patience: Duration) -> Result<()> {
    let started = Instant::now();
    // Reads the table, because this runs often: the cost of the view, which counts rows that are being sent, would be measured.
    let left =
        format!("SELECT COUNT(*) FROM batches WHERE batch_id = '{batch}' AND finished_at IS NULL");
    let state = format!(
        "SELECT 'queued ' || queued || ', awaiting ' || awaiting || ', retrying ' || retrying || ', held ' || held
         FROM batch_status WHERE batch_id = '{batch}'"
    );
    while conn.number(&left).await? > 0 {
        if started.elapsed() > patience {
            let state = conn.texts(&state).await?.pop().context("the batch is not there")?;
            anyhow::bail!("not finished after {patience:?}: {state}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let known = format!("SELECT COUNT(*) FROM batch_status WHERE batch_id = '{batch}'");
    ensure!(conn.number(&known).await? == 1, "the batch is not there");
    Ok(())
}
