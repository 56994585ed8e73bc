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
    /// Where one person at one provider stands.
    RevealState {
        /// Known, but wanted by no row at present (a later step of a waterfall).
        Idle => "idle",
        /// Waits for its turn.
        Queued => "queued",
        /// In a call that is on its way, or was, or may have been, accepted. Shown as `sending` or `awaiting`, as the
        /// call stands: so nobody in it is written anew when it is answered.
        Asked => "asked",
        /// Refused for now; its turn comes again when it is due.
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
    /// Whether nothing more is done for it unless asked.
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
        /// Which ids people with LinkedIn addresses have.
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
    /// Where one request that may cost credits stands.
    CallState {
        /// Written down, on its way.
        Sending => "sending",
        /// Taken by the provider; the results are out.
        Accepted => "accepted",
        /// Left, and nobody knows whether it was taken.
        Unknown => "unknown",
        /// Every person in it has a result.
        Done => "done",
        /// Not taken by the provider.
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
        /// None pass until its time is up.
        Closed => "closed",
        /// One small request at a time, until one is taken (a half-open circuit breaker).
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
        /// Broken answers in a row, or one that nobody documented.
        ProviderBroken => "provider_broken",
        /// Everybody is refused, so the fault is not theirs.
        EverythingRefused => "everything_refused",
    }
);

impl GateReason {
    /// Whether polls and balances wait, too; what is a matter of credits holds up reveals only.
    #[must_use]
    pub fn blocks_all(self) -> bool {
        matches!(
            self,
            GateReason::RateLimited | GateReason::Misconfigured | GateReason::ProviderBroken
        )
    }

    /// Whether orders fail whoever is asked for, and only an order that is taken shows that this is over.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(self, GateReason::ProviderBroken | GateReason::EverythingRefused)
    }
}

state_type!(
    /// Why no worker that runs can use a provider.
    OffReason {
        /// None has a key.
        NoKey => "no_key",
        /// None that has a key can be reached by webhooks, and the provider answers by nothing else.
        NoWebhookUrl => "no_webhook_url",
    }
);

impl OffReason {
    /// Why no worker can use a provider, from what each worker that runs lacks for it: nothing, once one lacks
    /// nothing. `None` where no worker runs: then nothing is known.
    #[must_use]
    pub fn of_all(lacks: impl IntoIterator<Item = Option<OffReason>>) -> Option<Option<OffReason>> {
        // By how little is missing: nothing, a webhook URL, a key.
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
