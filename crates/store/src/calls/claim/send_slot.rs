//! The one time at which a claim decides, and the send slots that follow from it.

use std::time::{Duration, Instant};

use jobs::rate::{self, Grant, Leaving};
use jobs::{Clock, Timestamp};

use crate::calls::claimed::ClaimReveals;
use crate::gates::gate::Gate;

/// The current time, by the ledger's clock and by this process's clock.
pub(super) struct ClaimTime {
    pub(super) now: Timestamp,
    us: i64,
    instant: Instant,
}

impl ClaimTime {
    pub(super) fn of(clock: &Clock) -> Self {
        let us = clock.now_us();
        ClaimTime { now: Timestamp(us.div_euclid(1000)), us, instant: Instant::now() }
    }

    /// What the rate allows.
    pub(super) fn grant(&self, ask: &ClaimReveals, gate: &Gate, calls: usize) -> Grant {
        let per_second = gate.rate(ask.rate, self.now);
        rate::take(gate.tat_us, self.us, per_second, calls, Leaving::AtItsSlot)
    }

    /// The time on this process's clock at which the ledger's clock will show `us`.
    pub(super) fn instant_of(&self, us: i64) -> Instant {
        let ahead = u64::try_from(us - self.us).unwrap_or(0);
        self.instant + Duration::from_micros(ahead)
    }
}
