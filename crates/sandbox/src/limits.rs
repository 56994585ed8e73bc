//! How many requests a provider accepts: a rate (GCRA) and a quota by window.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::LimitConfig;

/// One provider's counters.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// When the bucket is full again ('theoretical arrival time').
    full_at: Option<Instant>,
    window_began: Instant,
    used: u64,
}

/// A request that was one too many.
#[derive(Debug, PartialEq)]
pub(crate) struct TooMany {
    /// For `Retry-After`.
    pub(crate) wait: Duration,
    /// For `X-RateLimit-Limit`.
    pub(crate) limit: String,
}

impl Limiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { full_at: None, window_began: now, used: 0 }
    }

    /// Counts a request, or says how long to wait.
    pub(crate) fn take(&mut self, config: &LimitConfig, now: Instant) -> Result<(), TooMany> {
        self.turn(config, now);
        if config.quota > 0 && self.used >= config.quota {
            return Err(TooMany {
                wait: self.until_reset(config, now),
                limit: config.quota.to_string(),
            });
        }
        if config.rate_per_second > 0.0 {
            self.full_at = Some(self.next_cell(config, now)?);
        }
        self.used += 1;
        Ok(())
    }

    /// How many requests are left in this window, and how long it lasts.
    pub(crate) fn left(&mut self, config: &LimitConfig, now: Instant) -> (u64, Duration) {
        self.turn(config, now);
        (config.quota.saturating_sub(self.used), self.until_reset(config, now))
    }

    fn next_cell(&self, config: &LimitConfig, now: Instant) -> Result<Instant, TooMany> {
        let interval = Duration::from_secs_f64((1.0 / config.rate_per_second).min(1e9));
        let full_at = self.full_at.unwrap_or(now).max(now);
        let allowed_ahead = interval.saturating_mul(config.burst.saturating_sub(1));
        let ahead = full_at - now;
        if ahead > allowed_ahead {
            return Err(TooMany {
                wait: ahead - allowed_ahead,
                limit: config.rate_per_second.to_string(),
            });
        }
        Ok(full_at + interval)
    }

    fn turn(&mut self, config: &LimitConfig, now: Instant) {
        let window = Duration::from_millis(config.quota_window_ms);
        let passed = now.saturating_duration_since(self.window_began);
        if passed >= window {
            // Windows follow each other without a gap, so the beginning stays on the grid.
            let into = Duration::from_nanos((passed.as_nanos() % window.as_nanos().max(1)) as u64);
            self.window_began = now - into;
            self.used = 0;
        }
    }

    fn until_reset(&self, config: &LimitConfig, now: Instant) -> Duration {
        let window = Duration::from_millis(config.quota_window_ms);
        window.saturating_sub(now.saturating_duration_since(self.window_began))
    }
}

/// Whole seconds for a header, rounded up: coming back a little late is right, a little early is not.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_burst_then_one_per_interval() {
        let config = LimitConfig { rate_per_second: 10.0, burst: 3, ..LimitConfig::default() };
        let start = clock::now();
        let mut limiter = Limiter::new(start);
        for _ in 0..3 {
            assert_eq!(limiter.take(&config, start), Ok(()));
        }
        let refused = limiter.take(&config, start).expect_err("the fourth");
        assert_eq!(refused.wait, Duration::from_millis(100));
        assert_eq!(refused.limit, "10");
        assert_eq!(limiter.take(&config, start + refused.wait), Ok(()));
        assert!(limiter.take(&config, start + refused.wait).is_err());
    }

    #[test]
    fn the_quota_comes_back_with_the_next_window() {
        let config = LimitConfig { quota: 2, quota_window_ms: 60_000, ..LimitConfig::default() };
        let start = clock::now();
        let mut limiter = Limiter::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limiter.take(&config, at(0)), Ok(()));
        assert_eq!(limiter.left(&config, at(10)), (1, Duration::from_secs(50)));
        assert_eq!(limiter.take(&config, at(10)), Ok(()));
        let refused = limiter.take(&config, at(20)).expect_err("used up");
        assert_eq!((refused.wait, refused.limit.as_str()), (Duration::from_secs(40), "2"));
        assert_eq!(limiter.take(&config, at(185)), Ok(()));
        assert_eq!(limiter.left(&config, at(185)), (1, Duration::from_secs(55)));
    }

    #[test]
    fn headers_round_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(2_000)), 2);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
    }
}
