//! What a reading of a provider's account means for its gate.

use std::time::Duration;

use crate::backoff::exponential;
use crate::gate::Breaker;
use crate::{Credits, GateReason, GateState, Policy};

/// The longest wait between two looks at an empty account, unless the interval itself is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A reading of the account, and the values that it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The credits that the account holds.
    pub credits: Credits,
    /// The credits at the previous reading; `None` if there was none.
    pub before: Option<Credits>,
    /// The credits reserved for requests that are out.
    pub reserved: Credits,
    /// The least that a person costs.
    pub least: Credits,
    /// How many readings in a row showed the same credits.
    pub step: i64,
}

/// What follows from a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What becomes of the gate.
    pub gate: GateChange,
    /// How long to wait until the account is read again; `None` if it need not be.
    pub read_again: Option<Duration>,
    /// How many readings in a row showed the same credits, including this one.
    pub step: i64,
}

/// What a reading does to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateChange {
    /// Nothing.
    Nothing,
    /// The gate closes for an empty account.
    Close,
    /// The gate is no longer closed for an empty account.
    End,
    /// The gate is tried by one order: answers to balance requests say nothing about orders.
    HalfOpen,
}

impl Reading {
    /// Returns what the reading means. An empty account gets no requests except readings; a filled one resumes.
    #[must_use]
    pub fn meaning(&self, breaker: &Breaker, policy: &Policy) -> Meaning {
        let insufficient = breaker.is_shut_for(GateReason::CreditsInsufficient);
        let unchanged = self.before == Some(self.credits);
        let step = if unchanged { self.step + 1 } else { 0 };
        let wait = exponential(
            policy.credits_check_interval,
            LONGEST_WAIT.max(policy.credits_check_interval),
            u32::try_from(step).unwrap_or(u32::MAX - 1),
        );
        let is_empty =
            self.credits < self.least && (self.reserved == Credits::ZERO || insufficient);
        let broken = breaker.is_closed_as_broken();
        let gate = if insufficient {
            // A 402 came although the balance shows credits, so only a changed balance opens the gate. If an unchanged
            // balance did, every 402 would be followed by a reading and the next 402.
            if is_empty || unchanged { GateChange::Nothing } else { GateChange::End }
        } else if is_empty && (broken || breaker.state == GateState::Open) {
            // A broken provider answers again, so only the empty account keeps the gate shut now.
            GateChange::Close
        } else if broken && !is_empty {
            GateChange::HalfOpen
        } else {
            GateChange::Nothing
        };
        let is_low = self.credits - self.reserved < self.least;
        let waits_for_change = insufficient && gate == GateChange::Nothing;
        let read_again = (is_empty || is_low || waits_for_change).then_some(wait);
        Meaning { gate, read_again, step }
    }
}

#[cfg(test)]
mod tests {
    use super::GateChange::{Close, End, HalfOpen, Nothing};
    use super::*;
    use crate::gate::tests::open;

    const OPEN: (GateState, Option<GateReason>) = (GateState::Open, None);
    const EMPTY: (GateState, Option<GateReason>) =
        (GateState::Closed, Some(GateReason::CreditsInsufficient));
    const BROKEN: (GateState, Option<GateReason>) =
        (GateState::Closed, Some(GateReason::ProviderBroken));
    const ON_PROBATION: (GateState, Option<GateReason>) =
        (GateState::Probing, Some(GateReason::ProviderBroken));
    const LIMITED: (GateState, Option<GateReason>) =
        (GateState::Closed, Some(GateReason::RateLimited));

    fn breaker((state, reason): (GateState, Option<GateReason>)) -> Breaker {
        Breaker { state, reason, ..open() }
    }

    fn meaning(
        gate: (GateState, Option<GateReason>),
        holds: i64,
        before: i64,
        reserved: i64,
    ) -> Meaning {
        let reading = Reading {
            credits: Credits::whole(holds),
            before: Some(Credits::whole(before)),
            reserved: Credits::whole(reserved),
            least: Credits::whole(10),
            step: 2,
        };
        reading.meaning(&breaker(gate), &policy())
    }

    fn policy() -> Policy {
        Policy { credits_check_interval: Duration::from_secs(60), ..Policy::default() }
    }

    #[test]
    fn what_a_reading_means() {
        // The gate; the credits that the account holds, held before, and has reserved; the gate's change; whether it is
        // read again.
        let cases = [
            (OPEN, 100, 200, 0, Nothing, false),
            (OPEN, 100, 200, 95, Nothing, true),
            (OPEN, 9, 200, 0, Close, true),
            (OPEN, 9, 200, 5, Nothing, true),
            (EMPTY, 9, 9, 0, Nothing, true),
            (EMPTY, 9, 8, 5, Nothing, true),
            (EMPTY, 100, 100, 0, Nothing, true),
            (EMPTY, 100, 9, 0, End, false),
            (EMPTY, 100, 9, 95, End, true),
            (BROKEN, 100, 100, 0, HalfOpen, false),
            (BROKEN, 9, 100, 0, Close, true),
            (BROKEN, 9, 100, 5, HalfOpen, true),
            (ON_PROBATION, 9, 100, 0, Nothing, true),
            (ON_PROBATION, 100, 100, 0, Nothing, false),
            (LIMITED, 9, 100, 0, Nothing, true),
            (LIMITED, 100, 100, 0, Nothing, false),
        ];
        for (gate, holds, before, reserved, becomes, again) in cases {
            let meaning = meaning(gate, holds, before, reserved);
            let case = (gate, holds, before, reserved);
            assert_eq!((meaning.gate, meaning.read_again.is_some()), (becomes, again), "{case:?}");
        }
    }

    #[test]
    fn an_account_that_stays_empty_is_read_less_often() {
        let waits: Vec<u64> = [0, 1, 2, 40]
            .map(|step| {
                let credits = Credits::ZERO;
                let (reserved, least) = (Credits::ZERO, Credits::whole(10));
                let reading = Reading { credits, before: Some(credits), reserved, least, step };
                reading
                    .meaning(&breaker(EMPTY), &policy())
                    .read_again
                    .map_or(0, |wait| wait.as_secs())
            })
            .into();
        assert!(waits.is_sorted() && waits[0] > 0 && waits[3] <= 3600 * 2, "{waits:?}");
        assert_eq!(meaning(EMPTY, 5, 5, 0).step, 3);
        assert_eq!(meaning(EMPTY, 5, 6, 0).step, 0);
    }
}
