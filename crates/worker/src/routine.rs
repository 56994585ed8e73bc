//! Requests for one person that went well are counted in one log line a minute: a million rows must not be a million
//! lines. At `debug` each request has its own line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jobs::Provider;

/// How often the line is written, if there is anything to count.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Counts of what went well since the last line; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Routine(Arc<[Counts; Provider::ALL.len()]>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    results: AtomicU64,
}

impl Routine {
    /// Whether requests and results that go well at `provider` are counted here and have no line each.
    #[must_use]
    pub fn covers(provider: Provider) -> bool {
        provider.most_people() == 1
    }

    /// A request was accepted, or answered at once.
    pub fn request(&self, provider: Provider) {
        self.of(provider).requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A result was applied.
    pub fn result(&self, provider: Provider) {
        self.of(provider).results.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the lines and resets the counts.
    pub fn log(&self) {
        for provider in Provider::ALL {
            let counts = self.of(provider);
            let requests = counts.requests.swap(0, Ordering::Relaxed);
            let results = counts.results.swap(0, Ordering::Relaxed);
            if requests > 0 || results > 0 {
                tracing::info!(%provider, requests, results, "went well");
            }
        }
    }

    /// Writes the lines every [`INTERVAL`], until it is dropped.
    pub async fn log_forever(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.log();
        }
    }

    fn of(&self, provider: Provider) -> &Counts {
        match provider {
            Provider::Ocean => &self.0[0],
            Provider::Clodura => &self.0[1],
        }
    }
}
