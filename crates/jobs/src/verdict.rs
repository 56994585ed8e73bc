//! What a refusal means for the people in the call and for the gate: one decision, taken here.

use std::time::Duration;

use crate::backoff::bounded_retry_after;
use crate::outcome::{BadPerson, Refusal};
pub use crate::state::GateReason;

/// What happens to a refused call's people, and to the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the people.
    pub people: Next,
    /// The gate's closing, if the refusal closes it.
    pub closing: Option<Closing>,
    /// Whether the provider seems broken; five such answers in a row close the gate.
    pub broken: bool,
}

/// What becomes of the people of a refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Back into the queue; no attempt is used up.
    Queue,
    /// Later, after a backoff; an attempt is used up.
    Retry {
        /// Shown as the reason.
        reason: String,
    },
    /// These people fail, the rest go back into the queue.
    Isolate(Vec<BadPerson>),
    /// No person is named: a single person fails, several are asked in two halves.
    Split {
        /// The provider's words.
        reason: String,
    },
}

/// How a gate is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Why, as a word that the views show.
    pub reason: GateReason,
    /// Why, in the provider's words.
    pub message: Option<String>,
    /// For how long.
    pub until: Until,
}

/// When a closed gate is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The provider named the time.
    After(Duration),
    /// `GATE_BASE`, doubling to `GATE_MAX`.
    Backoff,
    /// After another event: another key, credits in the account, `enqueue resume`.
    Fixed,
}

/// How many people in a row are refused on their own before the fault counts as the provider's: while no order was
/// ever accepted, and after one was.
const REFUSED_SINGLES: (i64, i64) = (5, 10);

/// The verdict on a person that a provider refused on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedAlone {
    /// Whether the person fails; otherwise they are asked again later, since the fault may not be theirs.
    pub fails: bool,
    /// Whether the gate closes, because every person is refused.
    pub closes: bool,
}

/// Returns the verdict on a person refused on their own, after `before` others in a row since an order was last accepted.
#[must_use]
pub fn on_refused_alone(ever_accepted: bool, before: i64, closed_for_it: bool) -> RefusedAlone {
    let limit = if ever_accepted { REFUSED_SINGLES.1 } else { REFUSED_SINGLES.0 };
    let closes = closed_for_it || before + 1 >= limit;
    RefusedAlone { fails: ever_accepted && !closes, closes }
}

/// Returns the verdict on a refusal. 402 and 429 never use up an attempt.
#[must_use]
pub fn on_refusal(refusal: Refusal) -> Verdict {
    let queue = |reason, message, until| Verdict {
        people: Next::Queue,
        closing: Some(Closing { reason, message, until }),
        broken: false,
    };
    match refusal {
        Refusal::CreditsPending => queue(GateReason::CreditsPending, None, Until::Backoff),
        Refusal::CreditsInsufficient => queue(GateReason::CreditsInsufficient, None, Until::Fixed),
        Refusal::RateLimited { retry_after } => {
            queue(GateReason::RateLimited, None, retry_after.map_or(Until::Backoff, named_time))
        }
        Refusal::Misconfigured { message } => {
            queue(GateReason::Misconfigured, Some(message), Until::Fixed)
        }
        Refusal::BadPeople(people) => {
            Verdict { people: Next::Isolate(people), closing: None, broken: false }
        }
        Refusal::BadRequest { message } => {
            Verdict { people: Next::Split { reason: message }, closing: None, broken: false }
        }
        Refusal::Unavailable { message, retry_after: None } => {
            Verdict { people: Next::Retry { reason: message }, closing: None, broken: true }
        }
        Refusal::Unavailable { message, retry_after: Some(after) } => Verdict {
            people: Next::Queue,
            closing: Some(Closing {
                reason: GateReason::ProviderBroken,
                message: Some(message),
                until: named_time(after),
            }),
            broken: true,
        },
    }
}

/// Bounds a time that a provider named: neither so long that a broken header parks work for a year, nor so short that
/// the provider is asked again at once. `Retry-After: 0` names no time.
#[must_use]
pub fn named_time(after: Duration) -> Until {
    if after.is_zero() {
        return Until::Backoff;
    }
    Until::After(bounded_retry_after(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_and_limits_use_up_no_attempt() {
        for refusal in [
            Refusal::CreditsPending,
            Refusal::CreditsInsufficient,
            Refusal::RateLimited { retry_after: None },
            Refusal::Misconfigured { message: "bad key".into() },
        ] {
            assert_eq!(on_refusal(refusal).people, Next::Queue);
        }
    }

    #[test]
    fn a_day_is_sat_out_and_a_year_is_not() {
        let until = |s| {
            let refusal = Refusal::RateLimited { retry_after: Some(Duration::from_secs(s)) };
            on_refusal(refusal).closing.map(|c| c.until)
        };
        assert_eq!(until(86_400), Some(Until::After(Duration::from_secs(86_400))));
        assert_eq!(until(0), Some(Until::Backoff), "at once is no time");
        assert_eq!(until(31_536_000), Some(Until::After(Duration::from_secs(90_000))));
    }

    #[test]
    fn a_person_refused_alone_is_to_blame_unless_all_are() {
        let verdict = |ever, before, closed| {
            let RefusedAlone { fails, closes } = on_refused_alone(ever, before, closed);
            (fails, closes)
        };
        assert_eq!(verdict(false, 0, false), (false, false), "perhaps nobody is ever taken");
        assert_eq!(verdict(false, 4, false), (false, true));
        assert_eq!(verdict(true, 0, false), (true, false));
        assert_eq!(verdict(true, 8, false), (true, false));
        assert_eq!(verdict(true, 9, false), (false, true), "after a first success, too");
        assert_eq!(verdict(true, 0, true), (false, true), "a probe that is refused");
    }
}
