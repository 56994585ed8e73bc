//! The generic cell rate algorithm (GCRA, ITU-T I.371): one number, the theoretical arrival time of
//! the next request, says how many may be sent now, when each of them, and when to ask again.

use std::time::Duration;

/// How long before its send slot a request may be claimed.
const AHEAD: Duration = Duration::from_millis(20);

/// When granted requests leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Each at its send slot. It may be claimed shortly before the slot, so that the commit of the claim doesn't make it
    /// miss the slot.
    AtItsSlot,
    /// As soon as they are claimed: before their send slots only if these are close to each other.
    AtOnce,
}

/// The requests that a cell grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Requests that may be sent.
    pub requests: usize,
    /// The cell afterwards: microseconds since 1970.
    pub tat_us: i64,
    /// When at least one more may be claimed, in milliseconds since 1970.
    pub next_at_ms: i64,
    first_us: i64,
    interval_us: i64,
}

impl Grant {
    /// When the `nth` of the granted requests may leave, counted from 0: microseconds since 1970.
    #[must_use]
    pub fn send_slot_us(&self, nth: usize) -> i64 {
        self.first_us + i64::try_from(nth).unwrap_or(i64::MAX).saturating_mul(self.interval_us)
    }
}

/// Asks a cell for up to `wanted` requests at `now_us` (microseconds since 1970), at `per_second`. It grants requests with
/// send slots at most `AHEAD` in the future.
#[must_use]
pub fn take(tat_us: i64, now_us: i64, per_second: f64, wanted: usize, leaving: Leaving) -> Grant {
    let interval_us = interval_us(per_second);
    let ahead_us = match leaving {
        Leaving::AtOnce if interval_us >= us(AHEAD) => 0,
        _ => us(AHEAD),
    };
    // A cell far in the future was written under a slower rate or another clock. So its slot is
    // brought forward: the next claim waits for one interval at most.
    let first_us = tat_us.clamp(now_us, now_us + interval_us + ahead_us);
    let mut tat = first_us;
    let mut requests = 0;
    while requests < wanted && tat - now_us <= ahead_us {
        tat += interval_us;
        requests += 1;
    }
    let next_us = (tat - ahead_us).max(now_us);
    Grant { requests, tat_us: tat, next_at_ms: next_us.div_euclid(1000) + 1, first_us, interval_us }
}

/// The time between two requests, at least a microsecond.
fn interval_us(per_second: f64) -> i64 {
    let interval = Duration::try_from_secs_f64(1.0 / per_second.max(1e-6)).unwrap_or(Duration::MAX);
    us(interval).clamp(1, 1_000_000_000_000)
}

fn us(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::Leaving::{AtItsSlot, AtOnce};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_a_second_are_half_a_second_apart() {
        let first = take(0, 10_000_000, 2.0, 5, AtOnce);
        assert_eq!(first.requests, 1);
        assert_eq!(take(first.tat_us, 10_400_000, 2.0, 5, AtOnce).requests, 0);
        assert_eq!(take(first.tat_us, 10_500_000, 2.0, 5, AtOnce).requests, 1);
    }

    #[test]
    fn what_is_claimed_ahead_leaves_at_its_moment() {
        let first = take(0, 10_000_000, 100.0, 5, AtItsSlot);
        assert_eq!(first.requests, 3);
        let moments: Vec<i64> = (0..3).map(|n| first.send_slot_us(n)).collect();
        assert_eq!(moments, [10_000_000, 10_010_000, 10_020_000]);
        // Claimed late, but within the time ahead: no slot is lost.
        assert_eq!(take(first.tat_us, 10_029_000, 100.0, 1, AtItsSlot).send_slot_us(0), 10_030_000);
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_what_is_ahead(
            rate in 0.1f64..5000.0,
            steps in proptest::collection::vec((0i64..2_000_000, 1usize..200), 1..60),
        ) {
            let (mut tat, mut now, mut sent, mut last) = (0, 1_000_000_000, 0usize, 0);
            for (wait, wanted) in steps {
                now += wait;
                let grant = take(tat, now, rate, wanted, AtItsSlot);
                tat = grant.tat_us;
                sent += grant.requests;
                prop_assert!(grant.next_at_ms * 1000 > now);
                for n in 0..grant.requests {
                    let moment = grant.send_slot_us(n);
                    prop_assert!(moment >= now && moment - last >= interval_us(rate));
                    last = moment;
                }
            }
            let seconds = (now - 1_000_000_000) as f64 / 1e6;
            prop_assert!(sent as f64 <= rate * (seconds + 0.021) + 2.0);
        }

        #[test]
        fn the_next_time_named_is_a_time_at_which_one_may_go(rate in 0.1f64..5000.0, wanted in 1usize..50) {
            let grant = take(0, 5_000_000, rate, wanted, AtItsSlot);
            prop_assert!(take(grant.tat_us, grant.next_at_ms * 1000, rate, 1, AtItsSlot).requests == 1);
        }
    }
}
