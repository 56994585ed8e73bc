//! How long a running worker would have to wait for the database: small write transactions of the kind it makes, every
//! few milliseconds, on a connection of their own.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::database::{Conn, Database};
use crate::measurement::percentile;

/// The time between the end of one write and the start of the next.
const PAUSE: Duration = Duration::from_millis(5);

/// Writes until it is told to stop.
pub struct Prober {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<f64>>>,
}

/// How long the writes took, in milliseconds.
pub struct Waits {
    pub probes: usize,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Prober {
    /// Starts writing.
    pub async fn start(database: &Database) -> Result<Prober> {
        let mut conn = database.connect().await?;
        conn.execute("CREATE TABLE IF NOT EXISTS bench_probe (id BIGINT PRIMARY KEY, n BIGINT)")
            .await?;
        conn.execute("INSERT INTO bench_probe VALUES (1, 0) ON CONFLICT DO NOTHING").await?;
        if let Conn::Sqlite(_) = conn {
            conn.execute("PRAGMA busy_timeout = 0").await?;
        }
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut waits = Vec::new();
            while stopped.try_recv().is_err() {
                let started = Instant::now();
                probe(&mut conn).await?;
                waits.push(started.elapsed().as_secs_f64() * 1_000.0);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(waits)
        });
        Ok(Prober { stop, task })
    }

    /// Stops, and tells how long the writes took.
    pub async fn stop(self) -> Result<Waits> {
        // It has ended by itself only with an error, which the task gives.
        let _ = self.stop.send(());
        let mut waits = self.task.await??;
        waits.sort_by(f64::total_cmp);
        Ok(Waits {
            probes: waits.len(),
            p50: percentile(&waits, 0.5),
            p99: percentile(&waits, 0.99),
            max: waits.last().copied().unwrap_or_default(),
        })
    }
}

/// Locks the provider's gate, as a claim does, and writes a row.
async fn probe(conn: &mut Conn) -> Result<()> {
    let (begin, gate) = match conn {
        Conn::Sqlite(_) => ("BEGIN IMMEDIATE", "SELECT provider FROM provider_gates"),
        Conn::Postgres(_) => ("BEGIN", "SELECT provider FROM provider_gates FOR UPDATE"),
    };
    // SQLite's own busy handler would sleep longer than the short gaps of another writer: the product asks as often.
    while let Err(error) = conn.execute(begin).await {
        let busy = error.as_database_error().and_then(|e| e.code()).is_some_and(|c| c == "5");
        anyhow::ensure!(busy, "a probe failed: {error}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    conn.rows(gate).await?;
    conn.execute("UPDATE bench_probe SET n = n + 1").await?;
    conn.execute("COMMIT").await?;
    Ok(())
}
