use std::time::{Duration, Instant};

use crate::app::App;
use crate::jobs::housekeeping::Steady;

/// The pause between two steps, in which other writers have the database to themselves.
const REST: Duration = Duration::from_millis(50);

/// Deletes finished data that is older than the settings say, until the worker is stopped. A deletion is final,
/// so a clock that jumped is not trusted.
pub async fn retire(app: App) {
    let retention = app.policy.retention;
    let Some(interval) = retention.interval() else {
        app.stopping.cancelled().await;
        return;
    };
    let mut steady = Steady::new(app.store.now());
    loop {
        if steady.is_sure(app.store.now(), Instant::now()) {
            tokio::select! {
                () = app.stopping.cancelled() => return,
                retired = app.store.privacy().retire(&retention, interval, REST) => match retired {
                    Ok(gone) if gone != store::Purged::default() => tracing::info!(
                        batches = gone.batches,
                        people = gone.reveals,
                        requests = gone.calls,
                        bodies = gone.webhooks,
                        "deleted old data",
                    ),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "old data can't be deleted"),
                },
            }
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
