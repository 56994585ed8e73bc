//! What a refusal means for the people in the call and for the gate: one decision, taken here.

use std::time::Duration;

use crate::backoff::bounded_retry_after;
use crate::outcome::{BadPerson, Refusal};

/// What a refused call's people do next, and what closes.
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
    /// These fail, the others go back into the queue.
    Isolate(Vec<BadPerson>),
    /// Nobody is named: a single person fails, several are asked in two halves.
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
    /// When something else happens: another key, credits in the account, `enqueue resume`.
    Mended,
}

/// Why a gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateReason {
    /// 402: credits are tied up by verifications that still run.
    CreditsPending,
    /// 402: the account is empty.
    CreditsInsufficient,
    /// 429.
    RateLimited,
    /// The key was refused, or the set-up is wrong.
    Misconfigured,
    /// Broken answers in a row.
    ProviderBroken,
    /// Everybody is refused, so the fault is not theirs.
    EverythingRefused,
}

impl GateReason {
    /// The word used in tables and views.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            GateReason::CreditsPending => "credits_pending",
            GateReason::CreditsInsufficient => "credits_insufficient",
            GateReason::RateLimited => "rate_limited",
            GateReason::Misconfigured => "misconfigured",
            GateReason::ProviderBroken => "provider_broken",
            GateReason::EverythingRefused => "everything_refused",
        }
    }

    /// Whether polls and balances wait, too; what is a matter of credits holds up reveals only.
    #[must_use]
    pub fn blocks_all(self) -> bool {
        matches!(
            self,
            GateReason::RateLimited | GateReason::Misconfigured | GateReason::ProviderBroken
        )
    }
}

/// The verdict on a refusal. 402 and 429 never use up an attempt.
#[must_use]
pub fn on_refusal(refusal: Refusal) -> Verdict {
    let queue = |reason, message, until| Verdict {
        people: Next::Queue,
        closing: Some(Closing { reason, message, until }),
        broken: false,
    };
    match refusal {
        Refusal::CreditsPending => queue(GateReason::CreditsPending, None, Until::Backoff),
        Refusal::CreditsInsufficient => queue(GateReason::CreditsInsufficient, None, Until::Mended),
        Refusal::RateLimited { retry_after } => {
            queue(GateReason::RateLimited, None, retry_after.map_or(Until::Backoff, named_time))
        }
        Refusal::Misconfigured { message } => {
            queue(GateReason::Misconfigured, Some(message), Until::Mended)
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

fn named_time(after: Duration) -> Until {
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
        assert_eq!(until(31_536_000), Some(Until::After(Duration::from_secs(90_000))));
    }
}
