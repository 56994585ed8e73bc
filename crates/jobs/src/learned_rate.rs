//! Learns a provider's limit from its 429s: additive increase, multiplicative decrease, in steps that are large only
//! while the limit is far away.

use std::time::Duration;

/// The share of a rate that a 429 leaves if the rate was about right.
const DECREASE: f64 = 0.97;
/// The smallest share of such a rate that a 429 leaves if it came soon after another.
const LARGE_DECREASE: f64 = 0.93;
/// The share by which the rate grows in a minute.
const INCREASE_A_MINUTE: f64 = 0.01;

/// Fewer requests than this between two 429s show only that the rate is too high.
const EVIDENCE: i64 = 3;
/// The share of a rate that a 429 leaves after fewer requests than [`EVIDENCE`].
const TOO_FAST: f64 = 0.75;
/// A rate was far too high if requests passed at less than this share of it.
const FAR_TOO_FAST: f64 = 0.1;
/// The largest share by which a rate grows in a second while the limit is searched for.
const SEARCH_A_SECOND: f64 = 0.02;
/// The largest share by which a rate grows with each request while the limit is searched for.
const SEARCH_A_REQUEST: f64 = 0.002;
/// The lowest rate, in requests per second: one request an hour.
const LEAST: f64 = 1.0 / 3600.0;
/// A 429 counts as repeated if the previous one came less than this time plus twice the gate's closing time ago.
const AGAIN: Duration = Duration::from_secs(30);

/// A rate learned from a 429.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// Requests a second.
    pub per_second: f64,
    /// Whether the rate may be far below the limit, so that it should grow fast until the next 429.
    pub searching: bool,
}

/// What happened since the last 429.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    /// How long ago the last 429 was.
    pub time: Duration,
    /// The part of that time in which nothing was sent.
    pub closed: Duration,
    /// Requests that passed in that time.
    pub passed: i64,
}

/// Returns the rate after a 429 that came while `sending` requests per second were sent.
///
/// One 429 in a long time shows a rate that is slightly too high. If one came soon after another, the requests that
/// passed between them show the limit, unless the provider forgets capacity that was not used while the gate was
/// closed. So their rate is trusted for small steps only; if it is far away, a search starts from it.
#[must_use]
pub fn after_429(sending: f64, since: Option<Since>) -> Learned {
    let again = since.filter(|since| since.time < AGAIN + 2 * since.closed);
    let (per_second, searching) = match again {
        None => (sending * DECREASE, false),
        Some(since) if since.passed < EVIDENCE => (sending * TOO_FAST, true),
        Some(since) => {
            let accepted = since.passed as f64 / since.time.as_secs_f64().max(1e-3);
            if accepted < sending * FAR_TOO_FAST {
                (accepted * DECREASE, true)
            } else {
                let least = sending * LARGE_DECREASE;
                ((accepted * DECREASE).clamp(least, sending * DECREASE), false)
            }
        }
    };
    Learned { per_second: per_second.max(LEAST), searching }
}

/// Returns a learned rate as it is `elapsed` after its 429: grown by one per cent a minute, or by up to two per cent a
/// second while the limit is searched for. It never exceeds `limit`, which the user set.
#[must_use]
pub fn recovered(found: Learned, elapsed: Duration, limit: f64) -> f64 {
    let seconds = elapsed.as_secs_f64();
    let growth = if found.searching {
        SEARCH_A_SECOND.min(SEARCH_A_REQUEST * found.per_second) * seconds
    } else {
        INCREASE_A_MINUTE * seconds / 60.0
    };
    (found.per_second * (1.0 + growth)).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn recovers_a_per_cent_a_minute_up_to_the_limit() {
        let minute = Duration::from_secs(60);
        let found = Learned { per_second: 100.0, searching: false };
        assert!((recovered(found, minute, 1000.0) - 101.0).abs() < 1e-9);
        assert!((recovered(found, minute * 100_000, 150.0) - 150.0).abs() < 1e-9);
        assert_eq!(after_429(100.0, None), Learned { per_second: 97.0, searching: false });
    }

    #[test]
    fn a_rate_refused_again_at_once_goes_down_far_and_is_searched_for() {
        let time = Duration::from_secs(1);
        let learned = after_429(1000.0, Some(Since { time, closed: time, passed: 1 }));
        assert_eq!(learned, Learned { per_second: 750.0, searching: true });
        let learned = Learned { per_second: 15.0, searching: true };
        assert!((recovered(learned, Duration::from_secs(20), 1000.0) - 21.0).abs() < 1e-9);
    }

    /// A provider that accepts `per_second` requests, and up to `burst` at once, as a token bucket does.
    struct Provider {
        per_second: f64,
        burst: f64,
        tokens: f64,
        seen: f64,
    }

    impl Provider {
        /// Accepts a request that arrives at `now`, or returns for how many seconds it accepts none.
        fn ask(&mut self, now: f64) -> Result<(), f64> {
            let since = (now - self.seen).max(0.0);
            self.seen = self.seen.max(now);
            self.tokens = (self.tokens + self.per_second * since).min(self.burst);
            if self.tokens < 1.0 {
                return Err(((1.0 - self.tokens) / self.per_second).ceil());
            }
            self.tokens -= 1.0;
            Ok(())
        }
    }

    /// Sends requests for a quarter of an hour and learns: at most 1,000 a second, each arriving up to `late` seconds
    /// late. Then counts for two minutes; returns the share of the limit that is used, and the share of requests that
    /// are refused.
    fn after_settling(mut provider: Provider, late: f64) -> (f64, f64) {
        const SETTLED: f64 = 900.0;
        let mut chance = StdRng::seed_from_u64(7);
        let mut now = 0.0;
        let (mut found, mut found_at): (Option<Learned>, f64) = (None, 0.0);
        let (mut closed, mut passed) = (0.0, 0);
        let (mut used, mut refused) = (0.0, 0.0);
        while now < SETTLED + 120.0 {
            let elapsed = Duration::from_secs_f64(now - found_at);
            let sending = found.map_or(1000.0, |found| recovered(found, elapsed, 1000.0));
            let measured = if now > SETTLED { 1.0 } else { 0.0 };
            match provider.ask(now + chance.random_range(0.0..=late)) {
                Ok(()) => {
                    passed += 1;
                    used += measured;
                    now += 1.0 / sending;
                }
                Err(wait) => {
                    refused += measured;
                    let closed_for = Duration::from_secs_f64(closed);
                    let since = Since { time: elapsed, closed: closed_for, passed };
                    found = Some(after_429(sending, found.map(|_| since)));
                    (closed, found_at, passed) = (wait, now, 0);
                    now += wait;
                }
            }
        }
        (used / (provider.per_second * 120.0), refused / (used + refused))
    }

    #[test]
    fn settles_close_under_an_unknown_limit() {
        for per_second in [1.0, 5.0, 20.0, 100.0, 500.0] {
            for seconds_at_once in [0.0, 0.25, 1.0, 10.0, 60.0] {
                let burst = f64::max(1.0, per_second * seconds_at_once);
                // A provider that measures the time between two requests can't distinguish jitter from haste.
                let late = if burst < 2.0 { 0.02 / per_second } else { 0.01 };
                let provider = Provider { per_second, burst, tokens: burst, seen: 0.0 };
                let (used, refused) = after_settling(provider, late);
                let what =
                    format!("{per_second}/s, {burst} at once: {used} used, {refused} refused");
                assert!(used >= 0.95 && refused < 0.01, "{what}");
            }
        }
    }
}
