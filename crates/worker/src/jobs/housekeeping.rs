use std::time::{Duration, Instant};

use jobs::Timestamp;

use crate::app::App;

/// The longest interval between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Sends heartbeats until it is stopped. They run in a task of their own, so that they don't wait behind the work.
pub async fn heartbeats(app: App) {
    let interval = (app.policy.heartbeat_timeout / 4)
        .clamp(Duration::from_millis(50), Duration::from_secs(10));
    loop {
        if let Err(error) = app.store.workers().heartbeat(app.worker).await {
            tracing::warn!(%error, "no heartbeat");
        }
        if let Err(error) = app.signing.refresh(&app.store).await {
            tracing::debug!(%error, "the keys of webhook addresses can't be read");
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
    let mut steady = Steady::new(app.store.now());
    loop {
        let sure = steady.is_sure(app.store.now(), Instant::now());
        match app.store.sweep(&app.policy, sure).await {
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
        if let Err(error) = app.store.batches().sweep_abandoned_batches().await {
            tracing::warn!(%error, "abandoned submits can't be swept");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

/// A jump of the clock beyond this: the clock was set ahead, or the machine was suspended.
const JUMP: Duration = Duration::from_secs(600);
/// How long nothing expires after a jump: a clock may be set right again, and webhooks that could not come may come.
const DOUBT: Duration = Duration::from_secs(3600);

/// Whether the ledger's clock moves as this process's time does.
pub(super) struct Steady {
    shown: Timestamp,
    at: Instant,
    doubtful_until: Option<Instant>,
}

impl Steady {
    pub(super) fn new(shown: Timestamp) -> Self {
        Steady { shown, at: Instant::now(), doubtful_until: None }
    }

    /// Whether the time that the clock shows may end what is overdue.
    pub(super) fn is_sure(&mut self, shows: Timestamp, at: Instant) -> bool {
        let ahead = shows.since(self.shown).saturating_sub(at.saturating_duration_since(self.at));
        (self.shown, self.at) = (shows, at);
        if ahead > JUMP {
            tracing::error!(
                seconds = ahead.as_secs(),
                "the clock jumped ahead; nothing expires for an hour, check this machine's time"
            );
            self.doubtful_until = Some(at + DOUBT);
        }
        self.doubtful_until.is_none_or(|until| at >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_doubted_for_an_hour() {
        let second = Duration::from_secs(1);
        let mut steady = Steady::new(Timestamp(0));
        let (mut shows, mut at) = (Timestamp(0), steady.at);
        for _ in 0..1_000 {
            (shows, at) = (shows + second, at + second);
            assert!(steady.is_sure(shows, at));
        }
        shows = shows + 48 * DOUBT;
        assert!(!steady.is_sure(shows, at));
        (shows, at) = (shows + DOUBT / 2, at + DOUBT / 2);
        assert!(!steady.is_sure(shows, at));
        // A clock that is set back is not doubted again.
        assert!(!steady.is_sure(Timestamp(0), at));
        assert!(steady.is_sure(Timestamp(0) + DOUBT, at + DOUBT));
    }
}
