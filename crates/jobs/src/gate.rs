/// What a reading of the account means for it.
pub mod reading;

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
    /// Broken answers to orders since one was answered well.
    pub broken_streak: i64,
    /// The same of polls and balances, which say nothing about orders.
    pub broken_free_requests: i64,
    /// What it was closed for before it closed for something else, while no order was taken since.
    pub outage: Option<Outage>,
}

/// An outage that no order has ended yet: probation and backoff go on where they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// `ProviderBroken` or `EverythingRefused`.
    pub reason: GateReason,
    /// How often in a row it closed for that.
    pub step: i64,
}

/// To what kind of request an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTo {
    /// The order that is to show whether the gate may open.
    Probe,
    /// Another order.
    Order,
    /// A poll or a balance.
    FreeRequest,
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

    /// Whether it is closed for a broken provider, and not yet on probation.
    #[must_use]
    pub fn is_closed_as_broken(&self) -> bool {
        self.state == GateState::Closed && self.is_shut_for(GateReason::ProviderBroken)
    }

    /// What a reveal finds.
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
            // Whether a broken provider is back is seen by a balance request first, which is free.
            GateState::Closed if self.is_closed_as_broken() => Admission::Shut(None),
            GateState::Closed if self.is_over(now) => {
                Admission::Probe { small: self.probes_with_one() }
            }
            GateState::Closed => Admission::Shut(self.until),
        }
    }

    /// A 429 says nothing about how many people a request may hold.
    fn probes_with_one(&self) -> bool {
        self.reason != Some(GateReason::RateLimited) || self.outage.is_some()
    }

    /// Whether the time for which it closed is over, or belongs to a clock that was set back since.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let set_back = self.closed_at.is_some_and(|at| at > now + CLOCKS_DIFFER);
        self.until.is_some_and(|until| until <= now || set_back)
    }

    /// Until when requests that cost nothing must wait; `None` if they need not.
    #[must_use]
    pub fn free_requests_wait(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        let shut = self.state != GateState::Open && self.reason.is_some_and(GateReason::blocks_all);
        (shut && !self.is_over(now)).then_some(self.until)
    }

    /// Whether one more broken answer closes it.
    #[must_use]
    pub fn breaks(&self, to: AnswerTo) -> bool {
        let before = match to {
            AnswerTo::Probe => return true,
            AnswerTo::Order => self.broken_streak,
            AnswerTo::FreeRequest => self.broken_free_requests,
        };
        self.state == GateState::Open && before + 1 >= BROKEN_STREAK
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
            outage: self.kept_outage().filter(|outage| outage.reason != closing.reason),
            ..self.clone()
        })
    }

    /// The outage that it is closed for or on probation after, whatever closed it since.
    fn kept_outage(&self) -> Option<Outage> {
        let shut = self.reason.filter(|_| self.state != GateState::Open);
        let current = shut.filter(|reason| reason.is_outage());
        current.map(|reason| Outage { reason, step: self.step }).or(self.outage)
    }

    /// The gate once what closed it is over, although no order was taken: open, or on probation after the outage before.
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

    /// The gate once its probe was answered sensibly, although no order was taken. After a broken provider it stays on
    /// probation: that one person is refused, or has no number, says too little.
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

    /// How often in a row it closed for this reason. Answers to requests that left before it closed are no probes:
    /// they make it no worse.
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
mod tests;
