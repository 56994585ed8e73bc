//! Shared reads: the ledger is read once for all visitors. Ten open dashboards cost as much as one, and no open
//! dashboard costs nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How long a value is shown.
const LIFE: Duration = Duration::from_secs(1);
/// A value that took long to read is shown for longer, so that reading takes a tenth of the time at most.
const SHARE: u32 = 10;
/// How long to wait for a database that doesn't answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is nothing to show.
pub type Away = Arc<str>;

/// A value read from the ledger, kept for a moment.
pub struct Cached<T>(Mutex<Option<Held<T>>>);

struct Held<T> {
    until: Instant,
    value: Result<Arc<T>, Away>,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Cached(Mutex::new(None))
    }
}

impl<T> Cached<T> {
    /// Returns the value that was read a moment ago, or else the result of `read`. Callers that come while it is read
    /// share the result, a failure included.
    ///
    /// # Errors
    /// Why the ledger can't be read.
    pub async fn get(&self, read: impl Future<Output = store::Result<T>>) -> Result<Arc<T>, Away> {
        let mut held = self.0.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.until) {
            return held.value.clone();
        }
        let started = Instant::now();
        let value = match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(value)) => Ok(Arc::new(value)),
            Ok(Err(error)) => Err(Away::from(error.to_string())),
            Err(_) => Err(Away::from("the database doesn't answer")),
        };
        let life = LIFE.max(started.elapsed() * SHARE);
        *held = Some(Held { until: Instant::now() + life, value: value.clone() });
        value
    }

    /// Drops the value after a change by hand, so that the next page shows the change.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn ten_who_look_cost_one_reading() {
        let (cached, readings) = (Cached::default(), AtomicUsize::new(0));
        let look = || {
            cached.get(async {
                tokio::task::yield_now().await;
                Ok(readings.fetch_add(1, Ordering::Relaxed))
            })
        };
        let seen = futures::future::join_all((0..10).map(|_| look())).await;
        assert!(seen.iter().all(|value| **value.as_ref().unwrap() == 0));
        cached.forget().await;
        assert_eq!(*look().await.unwrap(), 1);
    }
}
