//! The one place that reads the machine's time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The monotonic time, by which everything here is measured.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970, only for making tracking ids that no earlier run has used.
#[expect(
    clippy::disallowed_methods,
    reason = "no part of the clients' code is used here, their clock included"
)]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Waits; a wait of zero doesn't yield.
pub(crate) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
