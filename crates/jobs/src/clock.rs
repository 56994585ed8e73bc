use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment, in whole milliseconds since 1970 (UTC): the unit of every time in the ledger.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds since 1970.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// ISO 8601 in UTC to the millisecond, as the views write times.
    #[must_use]
    pub fn iso8601(self) -> String {
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        format!("{at:.3}")
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis(rhs)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis(rhs)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The source of the current time. Tests move it by hand; workers correct it to the database's clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { offset_ms: Arc<AtomicI64> },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// This machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Clock(Source::System { offset_ms: Arc::new(AtomicI64::new(0)) })
    }

    /// A clock that stays at `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now_us().div_euclid(1000))
    }

    /// The current time in microseconds since 1970, fine enough to space requests.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        let (us, ms) = match &self.0 {
            Source::System { offset_ms } => (machine_us(), offset_ms.load(Ordering::Relaxed)),
            Source::Manual(at) => (0, at.load(Ordering::Relaxed)),
        };
        us.saturating_add(ms.saturating_mul(1000))
    }

    /// Moves a manual clock forward. Does nothing to a system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(at) = &self.0 {
            at.fetch_add(millis(by), Ordering::Relaxed);
        }
    }

    /// Corrects a system clock to the clock that all machines share, which reads `shared` right now.
    pub fn follow(&self, shared: Timestamp) {
        if let Source::System { offset_ms } = &self.0 {
            offset_ms
                .store(shared.0.saturating_sub(machine_us().div_euclid(1000)), Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_as_the_views_do() {
        let iso = |ms| Timestamp(ms).iso8601();
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(iso(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(iso(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
    }
}
