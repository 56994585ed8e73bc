//! Conditions with a bound: a test never sleeps for a time that it hopes is enough.

use std::future::Future;
use std::time::{Duration, Instant};

/// Far longer than any step takes; a test that waits this long has failed.
pub const LONG: Duration = Duration::from_secs(90);

/// Calls `look` until it returns a value. Panics after [`LONG`].
pub async fn eventually<T, F, Fut>(what: &str, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < LONG, "in {LONG:?} this did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}
