use std::time::Duration;

use crate::backoff::exponential;
use crate::verdict::{Closing, Until};
use crate::{GateReason, GateState, Policy, Timestamp};

/// Broken answers in a row that close a gate.
const BROKEN_STREAK: i64 = 5;

/// Workers' clocks may differ by that much. A gate that closed later than that from now was closed before the clock
/// was set back.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// What a provider's gate decides by: the circuit breaker that all workers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Open, closed, or half-open (`probing`).
    pub state: GateState,
    /// Why it is not open.
    pub reason: Option<GateReason>,
    /// Shut by hand, whatever the state.
    pub paused: bool,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// Until when it is closed; `None`: until something else happens.
    pub until: Option<Timestamp>,
    /// How often in a row it closed for this reason.
    pub step: i64,
    /// While half-open: whether the one request is out.
    pub probe_out: bool,
    /// Broken answers since the last good one.
    pub broken_streak: i64,
}

/// What a reveal finds at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// As many as the rate allows.
    Open,
    /// Open, but the last answer was broken: one small request at a time, so that little is at risk.
    Careful,
    /// One, to see whether the gate may open; a small one unless the rate was the matter.
    Probe {
        /// Of one person.
        small: bool,
    },
    /// None, until then or until something happens.
    Shut(Option<Timestamp>),
}

/// What `resume` does to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// It was open.
    Nothing,
    /// Only the pause ends: what closed the gate besides is still so.
    Unpause,
    /// The gate is half-open: one request is tried, and opens it when it is taken.
    TryNow,
}

impl Breaker {
    /// Whether it is closed or half-open for that.
    #[must_use]
    pub fn is_shut_for(&self, reason: GateReason) -> bool {
        self.state != GateState::Open && self.reason == Some(reason)
    }

    /// What a reveal finds.
    #[must_use]
    pub fn admission(&self, now: Timestamp) -> Admission {
        if self.paused {
            return Admission::Shut(None);
        }
        match self.state {
            GateState::Open if self.broken_streak > 0 => Admission::Careful,
            GateState::Open => Admission::Open,
            GateState::Probing if self.probe_out => Admission::Shut(None),
            GateState::Probing => Admission::Probe { small: self.probes_with_one() },
            // Whether a broken provider is back is seen by a balance request first, which is free.
            GateState::Closed if self.is_shut_for(GateReason::ProviderBroken) => {
                Admission::Shut(None)
            }
            GateState::Closed if self.is_over(now) => {
                Admission::Probe { small: self.probes_with_one() }
            }
            GateState::Closed => Admission::Shut(self.until),
        }
    }

    /// A 429 says nothing about how many people a request may hold.
    fn probes_with_one(&self) -> bool {
        self.reason != Some(GateReason::RateLimited)
    }

    /// Whether the time for which it closed is over, or belongs to a clock that was set back since.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let set_back = self.closed_at.is_some_and(|at| at > now + CLOCKS_DIFFER);
        self.until.is_some_and(|until| until <= now || set_back)
    }

    /// Until when requests that cost nothing must wait; `None` if they need not.
    #[must_use]
    pub fn lookups_wait(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        let shut = self.state != GateState::Open && self.reason.is_some_and(GateReason::blocks_all);
        (shut && !self.is_over(now)).then_some(self.until)
    }

    /// Whether one more broken answer closes it; `probe` if it is the answer to the probe.
    #[must_use]
    pub fn breaks(&self, probe: bool) -> bool {
        probe || (self.state == GateState::Open && self.broken_streak + 1 >= BROKEN_STREAK)
    }

    /// The gate once it is closed, or closed for longer; `None` if it is closed for something that earlier requests'
    /// refusals can't change: only the user fixes a wrong set-up, and until a 429's time is up nothing is sent.
    #[must_use]
    pub fn closed(&self, closing: &Closing, policy: &Policy, now: Timestamp) -> Option<Breaker> {
        if self.outranks(closing, now) {
            return None;
        }
        let step = self.next_step(closing, now);
        Some(Breaker {
            state: GateState::Closed,
            reason: Some(closing.reason),
            closed_at: match self.state {
                GateState::Closed => self.closed_at,
                _ => Some(now),
            },
            until: self.closed_until(closing, step, policy, now),
            step,
            probe_out: false,
            ..self.clone()
        })
    }

    fn outranks(&self, closing: &Closing, now: Timestamp) -> bool {
        if self.state != GateState::Closed {
            return false;
        }
        let to_be_fixed = self.until.is_none() && self.is_shut_for(GateReason::Misconfigured);
        let limited = self.is_shut_for(GateReason::RateLimited) && !self.is_over(now);
        let weighs_more =
            matches!(closing.reason, GateReason::RateLimited | GateReason::Misconfigured);
        to_be_fixed || (limited && !weighs_more)
    }

    /// How often in a row it closed for this reason. Answers to requests that left before it closed are no probes:
    /// they make it no worse.
    fn next_step(&self, closing: &Closing, now: Timestamp) -> i64 {
        if self.reason != Some(closing.reason) {
            return 0;
        }
        match self.state {
            GateState::Probing => self.step + 1,
            GateState::Closed if self.is_over(now) => self.step + 1,
            GateState::Closed => self.step,
            GateState::Open => 0,
        }
    }

    /// Until when, if time opens it at all; for one reason never less than it was to be closed anyway.
    fn closed_until(
        &self,
        closing: &Closing,
        step: i64,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let until = match closing.until {
            Until::After(wait) => now + wait,
            Until::Backoff => now + backoff(policy, step),
            Until::Fixed => return None,
        };
        let same = self.state == GateState::Closed && self.is_shut_for(closing.reason);
        let before = self.until.filter(|_| same && !self.is_over(now));
        Some(before.map_or(until, |before| until.max(before)))
    }

    /// What `resume` does. A pause that ends leaves a gate closed that time opens; one that only the user opens is
    /// tried at once.
    #[must_use]
    pub fn resume(&self, now: Timestamp) -> Resume {
        match self.state {
            GateState::Closed if self.paused && self.until.is_some_and(|until| until > now) => {
                Resume::Unpause
            }
            GateState::Closed => Resume::TryNow,
            _ if self.paused => Resume::Unpause,
            _ => Resume::Nothing,
        }
    }
}

/// How long a gate stays closed after `step` probes in vain.
#[must_use]
pub fn backoff(policy: &Policy, step: i64) -> Duration {
    exponential(policy.gate_base, policy.gate_max, u32::try_from(step).unwrap_or(u32::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use GateReason::{
        CreditsInsufficient, CreditsPending, EverythingRefused, Misconfigured, ProviderBroken,
        RateLimited,
    };

    const NOW: Timestamp = Timestamp(1_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn open() -> Breaker {
        Breaker {
            state: GateState::Open,
            reason: None,
            paused: false,
            closed_at: None,
            until: None,
            step: 0,
            probe_out: false,
            broken_streak: 0,
        }
    }

    fn close(gate: &Breaker, reason: GateReason, until: Until, now: Timestamp) -> Breaker {
        let closing = Closing { reason, message: None, until };
        gate.closed(&closing, &Policy::default(), now).unwrap_or_else(|| gate.clone())
    }

    fn half_open(gate: &Breaker) -> Breaker {
        Breaker { state: GateState::Probing, until: Some(NOW), ..gate.clone() }
    }

    #[test]
    fn what_a_reveal_finds() {
        let at = |reason, until| Breaker {
            state: GateState::Closed,
            reason: Some(reason),
            closed_at: Some(NOW),
            until,
            ..open()
        };
        let later = NOW + MINUTE;
        let probe = |small| Admission::Probe { small };
        for (gate, want) in [
            (open(), Admission::Open),
            (Breaker { broken_streak: 1, ..open() }, Admission::Careful),
            (Breaker { paused: true, ..open() }, Admission::Shut(None)),
            (at(RateLimited, Some(later)), Admission::Shut(Some(later))),
            (at(RateLimited, Some(NOW)), probe(false)),
            (at(CreditsPending, Some(NOW)), probe(true)),
            (at(EverythingRefused, Some(NOW)), probe(true)),
            (at(CreditsInsufficient, None), Admission::Shut(None)),
            (at(Misconfigured, None), Admission::Shut(None)),
            (at(ProviderBroken, Some(NOW)), Admission::Shut(None)),
            (half_open(&at(ProviderBroken, None)), probe(true)),
            (
                Breaker { probe_out: true, ..half_open(&at(ProviderBroken, None)) },
                Admission::Shut(None),
            ),
            (Breaker { paused: true, ..at(RateLimited, Some(NOW)) }, Admission::Shut(None)),
        ] {
            assert_eq!(gate.admission(NOW), want, "{gate:?}");
        }
    }

    #[test]
    fn the_step_is_kept_on_probation() {
        let mut gate = open();
        let mut now = NOW;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            gate = close(&gate, ProviderBroken, Until::Backoff, now);
            assert_eq!(gate.until, Some(now + minutes * MINUTE), "{gate:?}");
            // The balance is fine; the reveal that is tried then is not.
            now = now + minutes * MINUTE;
            gate = Breaker { probe_out: true, ..half_open(&gate) };
            assert!(gate.breaks(true) && !gate.breaks(false));
        }
    }

    #[test]
    fn five_broken_answers_in_a_row_close_it() {
        let breaks = |streak| Breaker { broken_streak: streak, ..open() }.breaks(false);
        assert!(!breaks(3) && breaks(4));
        let shut = close(&open(), RateLimited, Until::Backoff, NOW);
        assert!(!Breaker { broken_streak: 9, ..shut }.breaks(false));
    }

    #[test]
    fn answers_to_earlier_requests_make_it_no_worse() {
        let first = close(&open(), CreditsPending, Until::Backoff, NOW);
        let again = close(&first, CreditsPending, Until::Backoff, NOW + MINUTE / 2);
        assert_eq!(again.step, 0);
        let day = close(&open(), RateLimited, Until::After(1440 * MINUTE), NOW);
        assert_eq!(close(&day, CreditsPending, Until::Backoff, NOW), day);
        assert_eq!(close(&day, RateLimited, Until::After(MINUTE), NOW).until, day.until);
        let wrong = close(&open(), Misconfigured, Until::Fixed, NOW);
        assert_eq!(close(&wrong, RateLimited, Until::Backoff, NOW), wrong);
        assert_eq!(close(&day, Misconfigured, Until::Fixed, NOW).until, None);
    }

    #[test]
    fn polls_and_balances_wait_for_some_of_it() {
        let later = NOW + MINUTE;
        let limited = close(&open(), RateLimited, Until::After(MINUTE), NOW);
        assert_eq!(limited.lookups_wait(NOW), Some(Some(later)));
        assert_eq!(limited.lookups_wait(later), None);
        assert_eq!(close(&open(), CreditsPending, Until::Backoff, NOW).lookups_wait(NOW), None);
        let wrong = close(&open(), Misconfigured, Until::Fixed, NOW);
        assert_eq!(wrong.lookups_wait(later), Some(None));
        assert_eq!(half_open(&wrong).lookups_wait(NOW), None);
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_nothing() {
        let gate = close(&open(), RateLimited, Until::After(MINUTE), NOW);
        let two_days_before = NOW - 2880 * MINUTE;
        assert_eq!(gate.admission(two_days_before), Admission::Probe { small: false });
        assert_eq!(gate.lookups_wait(two_days_before), None);
        let again = close(&gate, RateLimited, Until::After(MINUTE), two_days_before);
        assert_eq!(again.until, Some(two_days_before + MINUTE));
    }

    #[test]
    fn a_pause_that_ends_opens_nothing_that_time_opens() {
        let paused = |gate: Breaker| Breaker { paused: true, ..gate };
        let limited = close(&open(), RateLimited, Until::After(MINUTE), NOW);
        let wrong = close(&open(), Misconfigured, Until::Fixed, NOW);
        for (gate, want) in [
            (open(), Resume::Nothing),
            (half_open(&limited), Resume::Nothing),
            (paused(open()), Resume::Unpause),
            (paused(half_open(&limited)), Resume::Unpause),
            (paused(limited.clone()), Resume::Unpause),
            (limited, Resume::TryNow),
            (wrong.clone(), Resume::TryNow),
            (paused(wrong), Resume::TryNow),
        ] {
            assert_eq!(gate.resume(NOW), want, "{gate:?}");
        }
    }
}
