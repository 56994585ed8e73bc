use std::time::Duration;

use crate::app::App;

/// How often time's decisions are looked for, at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Says that this worker is alive, until it is told to stop. A task of its own: it must not wait
/// behind the work.
pub async fn heartbeats(app: App) {
    let interval = (app.policy.heartbeat_timeout / 4)
        .clamp(Duration::from_millis(50), Duration::from_secs(10));
    loop {
        if let Err(error) = app.store.heartbeat(app.worker).await {
            tracing::warn!(%error, "no heartbeat");
        }
        if let Err(error) = app.store.follow_database_clock().await {
            tracing::debug!(%error, "the database's clock can't be read");
        }
        tokio::time::sleep(interval).await;
    }
}

/// Takes over calls of workers that are gone, ends what is overdue, sweeps abandoned submits.
pub async fn sweeps(app: App) {
    let interval =
        SWEEP_INTERVAL.min(app.policy.heartbeat_timeout / 4).max(Duration::from_millis(20));
    loop {
        match app.store.sweep_overdue(&app.policy).await {
            Ok(store::Swept { webhooks_silent: true, .. }) => tracing::error!(
                "no webhook of Ocean came for an hour while calls are out: is WEBHOOK_PUBLIC_URL still reachable? Until one comes, calls are as small as WEBHOOK_CANARY",
            ),
            Ok(swept) if swept != store::Swept::default() => tracing::info!(
                taken_over = swept.taken_over,
                expired = swept.expired,
                repeated = swept.repeated,
                "swept",
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "overdue calls can't be swept"),
        }
        if let Err(error) = app.store.sweep_abandoned_batches().await {
            tracing::warn!(%error, "abandoned submits can't be swept");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
