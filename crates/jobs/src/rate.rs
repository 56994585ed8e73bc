//! The generic cell rate algorithm (GCRA, ITU-T I.371): one number, the theoretical arrival time of
//! the next request, says how many may go now and when the next one may.

use std::time::Duration;

/// Bursts are only as long as a claim's own delay; a provider that counts strictly sees none.
const BURST_US: i64 = 20_000;

/// What a cell grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Requests that may be sent now.
    pub requests: usize,
    /// The cell afterwards: microseconds since 1970.
    pub tat_us: i64,
    /// When at least one more may be sent, in milliseconds since 1970.
    pub next_at_ms: i64,
}

/// Asks a cell for up to `wanted` requests at `now_ms`, at `per_second`.
#[must_use]
pub fn take(tat_us: i64, now_ms: i64, per_second: f64, wanted: usize) -> Grant {
    let now_us = now_ms.saturating_mul(1000);
    let interval_us = interval_us(per_second);
    let tolerance_us = if interval_us >= BURST_US { 0 } else { BURST_US };
    // A cell far in the future was written under a slower rate or another clock: never wait longer
    // than one interval for it.
    let mut tat = tat_us.clamp(now_us - tolerance_us, now_us + interval_us + tolerance_us);
    let mut requests = 0;
    while requests < wanted && tat - now_us <= tolerance_us {
        tat = tat.max(now_us) + interval_us;
        requests += 1;
    }
    let next_us = (tat - tolerance_us).max(now_us);
    Grant { requests, tat_us: tat, next_at_ms: next_us.div_euclid(1000) + 1 }
}

/// The time between two requests, at least a microsecond.
fn interval_us(per_second: f64) -> i64 {
    let us = Duration::try_from_secs_f64(1.0 / per_second.max(1e-6))
        .unwrap_or(Duration::MAX)
        .as_micros();
    i64::try_from(us).unwrap_or(i64::MAX / 4).clamp(1, 1_000_000_000_000)
}

/// The share of the accepted rate that a 429 leaves.
const DECREASE: f64 = 0.95;
/// How much the rate grows again in a minute.
const INCREASE_A_MINUTE: f64 = 0.01;

/// The rate after a 429, when `accepted` requests a second had been passing.
#[must_use]
pub fn after_429(accepted_per_second: f64) -> f64 {
    (accepted_per_second * DECREASE).max(1.0 / 3600.0)
}

/// Requests that must have passed between two 429s before their number says anything about the rate.
const EVIDENCE: i64 = 10;
/// The share of a rate that is left when it was refused again almost at once.
const FAR_TOO_FAST: f64 = 0.5;
/// How much a rate grows in a second while the limit is being searched for.
const SEARCH_A_SECOND: f64 = 0.02;

/// A rate learned from a 429.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// Requests a second.
    pub per_second: f64,
    /// Whether it may be far below the limit, so that it should grow fast until the next 429.
    pub searching: bool,
}

/// The rate after a 429 that came soon after another: `passed` requests went through in the
/// `seconds` between them, sent at `sending` a second. Where enough passed, what passed is the
/// limit; where hardly any did, the rate was far too high, and how far is not known.
#[must_use]
pub fn after_429_again(sending: f64, passed: i64, seconds: f64) -> Learned {
    if passed >= EVIDENCE {
        let accepted = (passed as f64 / seconds).min(sending);
        return Learned { per_second: after_429(accepted), searching: false };
    }
    Learned { per_second: (sending * FAR_TOO_FAST).max(1.0 / 3600.0), searching: true }
}

/// A rate that a 429 taught us, `elapsed` later: grown by one per cent a minute, or by two a second
/// while the limit is searched for; never above the limit that the user set.
#[must_use]
pub fn recovered(found: f64, elapsed: Duration, limit: f64, searching: bool) -> f64 {
    let seconds = elapsed.as_secs_f64();
    let growth =
        if searching { SEARCH_A_SECOND * seconds } else { INCREASE_A_MINUTE * seconds / 60.0 };
    (found * (1.0 + growth)).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_a_second_are_half_a_second_apart() {
        let first = take(0, 10_000, 2.0, 5);
        assert_eq!(first.requests, 1);
        assert_eq!(take(first.tat_us, 10_400, 2.0, 5).requests, 0);
        assert_eq!(take(first.tat_us, 10_500, 2.0, 5).requests, 1);
    }

    #[test]
    fn recovers_a_per_cent_a_minute_up_to_the_limit() {
        let minute = Duration::from_secs(60);
        assert!((recovered(100.0, minute, 1000.0, false) - 101.0).abs() < 1e-9);
        assert!((recovered(100.0, minute * 100_000, 150.0, false) - 150.0).abs() < 1e-9);
        assert!((after_429(20.0) - 19.0).abs() < 1e-9);
    }

    #[test]
    fn a_rate_far_too_high_is_halved_and_then_searched_for() {
        let learned = after_429_again(1000.0, 1, 1.0);
        assert_eq!(learned, Learned { per_second: 500.0, searching: true });
        assert!((recovered(15.0, Duration::from_secs(20), 1000.0, true) - 21.0).abs() < 1e-9);
        let learned = after_429_again(21.0, 400, 20.0);
        assert_eq!(learned, Learned { per_second: 19.0, searching: false });
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_its_burst(
            rate in 0.1f64..5000.0,
            steps in proptest::collection::vec((0i64..2000, 1usize..200), 1..60),
        ) {
            let (mut tat, mut now, mut sent) = (0, 1_000_000, 0usize);
            for (wait, wanted) in steps {
                now += wait;
                let grant = take(tat, now, rate, wanted);
                tat = grant.tat_us;
                sent += grant.requests;
                prop_assert!(grant.next_at_ms > now);
            }
            let seconds = (now - 1_000_000) as f64 / 1000.0;
            prop_assert!(sent as f64 <= rate * (seconds + 0.021) + 2.0);
        }

        #[test]
        fn the_next_time_named_is_a_time_at_which_one_may_go(rate in 0.1f64..5000.0, wanted in 1usize..50) {
            let grant = take(0, 5_000, rate, wanted);
            prop_assert!(take(grant.tat_us, grant.next_at_ms, rate, 1).requests == 1);
        }
    }
}
