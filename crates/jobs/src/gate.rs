/// What a reading of the account means for the gate.
pub mod reading;

use std::time::Duration;

use crate::backoff::exponential;
use crate::verdict::{Closing, Until};
use crate::{GateReason, GateState, Policy, Timestamp};

/// Broken answers in a row that close a gate.
const BROKEN_STREAK: i64 = 5;

/// How much workers' clocks may differ. A gate whose closing lies further in the future than this was closed before the
/// clock was set back.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The state of a provider's gate: the circuit breaker that all workers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Open, closed, or half-open (`probing`).
    pub state: GateState,
    /// Why the gate is not open.
    pub reason: Option<GateReason>,
    /// Whether the gate is shut by hand, whatever its state.
    pub paused: bool,
    /// When the gate closed.
    pub closed_at: Option<Timestamp>,
    /// Until when the gate is closed; `None`: until another event opens it.
    pub until: Option<Timestamp>,
    /// How often in a row the gate closed for this reason.
    pub step: i64,
    /// While half-open: whether the probe is out.
    pub probe_out: bool,
    /// Broken answers to orders since the last good answer to one.
    pub broken_streak: i64,
    /// Broken answers in a row to polls and balance requests, which say nothing about orders.
    pub broken_free_requests: i64,
    /// The outage for which the gate was closed before it closed for another reason, while no order was accepted since.
    pub outage: Option<Outage>,
}

/// An outage that no order has ended yet: probation and backoff continue where they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// `ProviderBroken` or `EverythingRefused`.
    pub reason: GateReason,
    /// How often in a row the gate closed for this reason.
    pub step: i64,
}

/// The kind of request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTo {
    /// The order that tests whether the gate may open.
    Probe,
    /// Another order.
    Order,
    /// A poll or a balance.
    FreeRequest,
}

/// What a gate admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// As many requests as the rate allows.
    Open,
    /// Open, but the last answer was broken: one small request at a time, so that little is at risk.
    Careful,
    /// One request, to test whether the gate may open. It is small, unless only a rate limit closed the gate.
    Probe {
        /// Whether the request holds one person only.
        small: bool,
    },
    /// No request, until this time or until another event.
    Shut(Option<Timestamp>),
}

/// What `resume` does to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Nothing: the gate was neither paused nor closed.
    Nothing,
    /// Only the pause ends; a gate that is closed for another reason stays closed.
    Unpause,
    /// The gate becomes half-open: one request is tried, and opens the gate when it is accepted.
    TryNow,
}

impl Breaker {
    /// Whether the gate is closed or half-open for `reason`.
    #[must_use]
    pub fn is_shut_for(&self, reason: GateReason) -> bool {
        self.state != GateState::Open && self.reason == Some(reason)
    }

    /// Whether the gate is closed for a broken provider, and not yet on probation.
    #[must_use]
    pub fn is_closed_as_broken(&self) -> bool {
        self.state == GateState::Closed && self.is_shut_for(GateReason::ProviderBroken)
    }

    /// Returns what the gate admits at `now`.
    #[must_use]
    pub fn admission(&self, now: Timestamp) -> Admission {
        if self.paused {
            return Admission::Shut(None);
        }
        match self.state {
            GateState::Open if self.broken_streak > 0 || self.broken_free_requests > 0 => {
                Admission::Careful
            }
            GateState::Open => Admission::Open,
            GateState::Probing if self.probe_out => Admission::Shut(None),
            GateState::Probing => Admission::Probe { small: self.probes_with_one() },
            // A balance request, which is free, shows first whether a broken provider is back.
            GateState::Closed if self.is_closed_as_broken() => Admission::Shut(None),
            GateState::Closed if self.is_over(now) => {
                Admission::Probe { small: self.probes_with_one() }
            }
            GateState::Closed => Admission::Shut(self.until),
        }
    }

    /// Whether the probe holds one person. After a 429 it may be larger: a 429 says nothing about how many people a
    /// request may hold.
    fn probes_with_one(&self) -> bool {
        self.reason != Some(GateReason::RateLimited) || self.outage.is_some()
    }

    /// Whether the closing time is over, or was set by a clock that was set back since.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let set_back = self.closed_at.is_some_and(|at| at > now + CLOCKS_DIFFER);
        self.until.is_some_and(|until| until <= now || set_back)
    }

    /// Returns until when free requests must wait; `None` if they need not, `Some(None)` if no time is known.
    #[must_use]
    pub fn free_requests_wait(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        let shut = self.state != GateState::Open && self.reason.is_some_and(GateReason::blocks_all);
        (shut && !self.is_over(now)).then_some(self.until)
    }

    /// Whether one more broken answer closes the gate.
    #[must_use]
    pub fn breaks(&self, to: AnswerTo) -> bool {
        let before = match to {
            AnswerTo::Probe => return true,
            AnswerTo::Order => self.broken_streak,
            AnswerTo::FreeRequest => self.broken_free_requests,
        };
        self.state == GateState::Open && before + 1 >= BROKEN_STREAK
    }

    /// Returns the gate after `closing`: closed, or closed for longer. `None` if the gate is closed for something that
    /// refusals of earlier requests can't change: only the user fixes a wrong set-up, and nothing is sent until the
    /// time of a 429 is up.
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
            outage: self.kept_outage().filter(|outage| outage.reason != closing.reason),
            ..self.clone()
        })
    }

    /// Returns the outage that the gate is closed for or on probation after, even if another reason closed it since.
    fn kept_outage(&self) -> Option<Outage> {
        let shut = self.reason.filter(|_| self.state != GateState::Open);
        let current = shut.filter(|reason| reason.is_outage());
        current.map(|reason| Outage { reason, step: self.step }).or(self.outage)
    }

    /// Returns the gate after its reason ended without an accepted order: open, or on probation after the earlier outage.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Breaker {
        match self.outage {
            Some(Outage { reason, step }) => Breaker {
                state: GateState::Probing,
                reason: Some(reason),
                until: Some(now),
                step,
                probe_out: false,
                outage: None,
                ..self.clone()
            },
            None => Breaker {
                state: GateState::Open,
                reason: None,
                until: None,
                step: 0,
                probe_out: false,
                ..self.clone()
            },
        }
    }

    /// Returns the gate after a sensible answer to its probe, although no order was accepted. After a broken provider
    /// the gate stays on probation: one person who is refused, or has no number, says too little.
    #[must_use]
    pub fn probe_answered(&self, now: Timestamp) -> Breaker {
        if self.is_shut_for(GateReason::ProviderBroken) {
            let (state, until) = (GateState::Probing, Some(now));
            return Breaker { state, until, probe_out: false, ..self.clone() };
        }
        self.ended(now)
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

    /// Returns how often in a row the gate has closed for this reason. Answers to requests that left before the gate
    /// closed are no probes, so they don't raise the count.
    fn next_step(&self, closing: &Closing, now: Timestamp) -> i64 {
        if self.reason != Some(closing.reason) {
            let outage = self.outage.filter(|outage| outage.reason == closing.reason);
            return outage.map_or(0, |outage| outage.step + 1);
        }
        match self.state {
            GateState::Probing => self.step + 1,
            GateState::Closed if self.is_over(now) => self.step + 1,
            GateState::Closed => self.step,
            GateState::Open => 0,
        }
    }

    /// Returns until when the gate is closed; `None` if no time opens it. Closing again for the same reason never
    /// shortens the time.
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

    /// Returns what `resume` does. The end of a pause leaves a gate closed that time will open; a gate that only the
    /// user can open is tried at once.
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

/// How long a gate stays closed after `step` failed probes.
#[must_use]
pub fn backoff(policy: &Policy, step: i64) -> Duration {
    exponential(policy.gate_base, policy.gate_max, u32::try_from(step).unwrap_or(u32::MAX - 1))
}

#[cfg(test)]
mod tests;
