use std::fmt;
use std::str::FromStr;

/// A stored word that is none of the known states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no known state")]
pub struct UnknownState(pub String);

macro_rules! state_type {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every state.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word used in tables, views and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownState;
            fn from_str(s: &str) -> Result<Self, UnknownState> {
                match s { $($text => Ok($name::$variant),)* _ => Err(UnknownState(s.to_owned())) }
            }
        }
    };
}

state_type!(
    /// The state of one person at one provider.
    RevealState {
        /// Known, but wanted by no row at present (a later step of a waterfall).
        Idle => "idle",
        /// Waits to be asked.
        Queued => "queued",
        /// In a call that is on its way, was accepted, or may have been. Shown as `sending` or `awaiting` by the state
        /// of the call, so the answer to the call rewrites none of its reveals.
        Asked => "asked",
        /// Refused for now; queued again when it is due.
        Retrying => "retrying",
        /// Finished: at least one number.
        Found => "found",
        /// Finished: looked for, nothing there.
        NotFound => "not_found",
        /// Finished: refused for a stated reason.
        Failed => "failed",
        /// Finished: perhaps paid, no result came.
        Expired => "expired",
        /// Finished: erased on request.
        Cancelled => "cancelled",
    }
);

impl RevealState {
    /// Whether nothing more is done for the reveal unless the user asks.
    #[must_use]
    pub fn is_finished(self) -> bool {
        self.rank() > 0
    }

    /// How good an answer is: a better one replaces a worse one, never the other way round.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            RevealState::Found => 3,
            RevealState::NotFound => 2,
            RevealState::Failed | RevealState::Expired | RevealState::Cancelled => 1,
            _ => 0,
        }
    }
}

state_type!(
    /// What a request that may cost credits asks for.
    CallKind {
        /// People's numbers.
        Reveal => "reveal",
        /// The ids of people with LinkedIn addresses.
        Lookup => "lookup",
    }
);

impl CallKind {
    /// How many of `people` count as asked for their numbers.
    #[must_use]
    pub fn people_asked(self, people: i64) -> i64 {
        match self {
            CallKind::Reveal => people,
            CallKind::Lookup => 0,
        }
    }
}

state_type!(
    /// The state of one request that may cost credits.
    CallState {
        /// Written down, on its way.
        Sending => "sending",
        /// Accepted by the provider; the results are out.
        Accepted => "accepted",
        /// Left, and may or may not have been accepted.
        Unknown => "unknown",
        /// Every person in it has a result.
        Done => "done",
        /// Not accepted by the provider.
        Refused => "refused",
        /// Never left this machine.
        Unsent => "unsent",
        /// No result by the deadline; a later webhook still makes it done.
        Expired => "expired",
    }
);

state_type!(
    /// Whether requests may be sent to a provider.
    GateState {
        /// Requests pass.
        Open => "open",
        /// No request passes until the gate's time is up.
        Closed => "closed",
        /// One small request at a time, until one is accepted (a half-open circuit breaker).
        Probing => "probing",
    }
);

state_type!(
    /// Why a gate is closed.
    GateReason {
        /// 402: credits are tied up by verifications that still run.
        CreditsPending => "credits_pending",
        /// 402: the account is empty.
        CreditsInsufficient => "credits_insufficient",
        /// 429.
        RateLimited => "rate_limited",
        /// The key was refused, or the set-up is wrong.
        Misconfigured => "misconfigured",
        /// Broken answers in a row, or one undocumented answer.
        ProviderBroken => "provider_broken",
        /// Every person is refused, so the fault is not the people's.
        EverythingRefused => "everything_refused",
    }
);

impl GateReason {
    /// Whether polls and balance requests wait, too; a lack of credits holds up reveals only.
    #[must_use]
    pub fn blocks_all(self) -> bool {
        matches!(
            self,
            GateReason::RateLimited | GateReason::Misconfigured | GateReason::ProviderBroken
        )
    }

    /// Whether orders fail for every person, and only an accepted order shows that this is over.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(self, GateReason::ProviderBroken | GateReason::EverythingRefused)
    }
}

state_type!(
    /// Why no running worker can use a provider.
    OffReason {
        /// No worker has a key.
        NoKey => "no_key",
        /// No worker that has a key can be reached by webhooks, and the provider answers by nothing else.
        NoWebhookUrl => "no_webhook_url",
    }
);

impl OffReason {
    /// Returns why no worker can use a provider, from what each running worker lacks for it: nothing, if one worker
    /// lacks nothing. `None` if no worker runs: then nothing is known.
    #[must_use]
    pub fn of_all(lacks: impl IntoIterator<Item = Option<OffReason>>) -> Option<Option<OffReason>> {
        // Ordered by how little is missing: nothing, a webhook URL, a key.
        lacks.into_iter().min_by_key(|lacks| match lacks {
            None => 0,
            Some(OffReason::NoWebhookUrl) => 1,
            Some(OffReason::NoKey) => 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::OffReason::{NoKey, NoWebhookUrl};
    use super::*;

    #[test]
    fn a_provider_is_off_only_where_no_worker_can_use_it() {
        assert_eq!(OffReason::of_all([]), None);
        assert_eq!(OffReason::of_all([Some(NoKey)]), Some(Some(NoKey)));
        assert_eq!(OffReason::of_all([Some(NoKey), Some(NoWebhookUrl)]), Some(Some(NoWebhookUrl)));
        assert_eq!(OffReason::of_all([Some(NoKey), None, Some(NoWebhookUrl)]), Some(None));
    }
}
