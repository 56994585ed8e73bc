//! Measures how long a running worker would wait for the database: a worker's small write transactions, through the same
//! store, every few milliseconds.

use std::time::{Duration, Instant};

use anyhow::Result;
use jobs::{Clock, Provider};
use store::Store;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::measurement::percentile;

/// The time between the end of one write and the start of the next.
const PAUSE: Duration = Duration::from_millis(5);

/// A task that writes until it is stopped.
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
        let store = Store::connect(&database.url, false, Clock::system()).await?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut waits = Vec::new();
            while stopped.try_recv().is_err() {
                let started = Instant::now();
                // Locks the gate's row, as a claim does, and writes it.
                store.gates().pause(Provider::Clodura).await?;
                waits.push(started.elapsed().as_secs_f64() * 1_000.0);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(waits)
        });
        Ok(Prober { stop, task })
    }

    /// Stops the writes, and returns how long they took.
    pub async fn stop(self) -> Result<Waits> {
        // The task ends by itself only with an error, which it returns below.
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
