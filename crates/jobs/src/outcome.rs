use std::time::Duration;

use crate::phone_type::{Classified, classify};
use crate::{Credits, Tariff};

/// The outcome of a request that may cost credits. Every documented answer of every provider is one of these variants;
/// the variant says whether money may have been spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevealOutcome {
    /// The provider accepted the order; results follow by webhook or poll.
    Accepted {
        /// The id under which the result can be polled, if the provider gives one.
        tracking_id: Option<String>,
    },
    /// A 2xx whose body is an error, a page or anything else undocumented. The order may have been accepted, so it is
    /// never sent again. The next order waits until it is known what such answers mean.
    Undocumented {
        /// The id under which the result can be polled, if the body gives one all the same.
        tracking_id: Option<String>,
        /// What came, to be shown to people.
        why: String,
    },
    /// The order never left: too much time had passed when its first byte was to go.
    NotSent,
    /// Clodura's 404: finished at once, nothing found, nothing charged.
    NotFound,
    /// The provider did not accept the order. Nothing was spent.
    Refused(Refusal),
    /// The request left and its fate is not known: it may have been accepted.
    Unknown {
        /// What happened, to be shown to people (`time-out after 30s`, `HTTP 502`).
        why: String,
    },
}

/// The outcome of looking people up by their LinkedIn addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupOutcome {
    /// The provider answered.
    Answered(Matches),
    /// The request never left: too much time had passed when its first byte was to go.
    NotSent,
    /// The provider did not answer the question. Nothing was spent.
    Refused(Refusal),
    /// The request left, and no readable answer came: matches may have been charged.
    Unknown {
        /// What happened, to be shown to people.
        why: String,
    },
}

/// The people that a provider matched. Prints only counts, since a person's id is personal data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// The provider's id of each person, in the order of the request; `None` where the answer leaves the person out.
    pub ids: Vec<Option<String>>,
    /// Whether the answer has people, but none with a handle. Whose ids they are shows only when each person is asked
    /// alone.
    pub unnamed: bool,
}

impl std::fmt::Debug for Matches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matches({} of {})", self.ids.iter().flatten().count(), self.ids.len())
    }
}

/// Why a provider did not accept an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 402: credits are tied up by verifications that still run.
    CreditsPending,
    /// 402: the account holds too few credits.
    CreditsInsufficient,
    /// 429: too fast, or too many today.
    RateLimited {
        /// The provider's `Retry-After`, as sent.
        retry_after: Option<Duration>,
    },
    /// 400 conflicting tokens, 401, 403, a redirect: no request passes until the set-up is fixed.
    Misconfigured {
        /// The provider's words.
        message: String,
    },
    /// 422 that names the people at fault by their place in the request.
    BadPeople(Vec<BadPerson>),
    /// The request was refused and no person in particular is named (404, 422 and 400 otherwise).
    BadRequest {
        /// The provider's words.
        message: String,
    },
    /// DNS, TCP or TLS failed, or a 503: the provider can't be used just now.
    Unavailable {
        /// What happened.
        message: String,
        /// A 503's `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// A person that a provider refused by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPerson {
    /// The person's place in the request, from 0.
    pub index: usize,
    /// The provider's words.
    pub message: String,
}

/// Why a request for a result or a balance brought neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreeRequestFailure {
    /// 429.
    RateLimited {
        /// The provider's `Retry-After`, as sent.
        retry_after: Option<Duration>,
    },
    /// 400 conflicting tokens, 401, 403, a redirect.
    Misconfigured {
        /// The provider's words.
        message: String,
    },
    /// No connection, a time-out, a 5xx, a body that can't be read: ask again later.
    Unavailable {
        /// What happened.
        message: String,
    },
}

/// The outcome of polling a tracking id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackOutcome {
    /// The result is there.
    Finished(PersonResult),
    /// The provider is still working on the order.
    Running,
    /// 404: the result is not there yet, or (later) none will come.
    NothingThere,
}

/// An account's credits, and the requests left today if the provider says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Credits left for phones.
    pub credits: Credits,
    /// What the account pays for and how much, if the balance shows it.
    pub tariff: Option<Tariff>,
    /// Requests left today, and the time until the count starts again.
    pub daily: Option<DailyQuota>,
}

/// The requests left today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyQuota {
    /// Requests left.
    pub left: i64,
    /// Time until the count starts again.
    pub resets_in: Duration,
}

/// One person's result, as a webhook or a poll brought it.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonResult {
    /// The id under which the provider answers. `None` if the answer names no person.
    pub person_id: Option<String>,
    /// The finding.
    pub finding: Finding,
    /// The provider's own word for the result, if it says more than the finding: `Wiza: error`.
    pub remark: Option<String>,
}

/// What a provider found out about one person.
#[derive(Clone, PartialEq, Eq)]
pub enum Finding {
    /// Numbers, at least one; in the provider's order.
    Found {
        /// The numbers.
        phones: Vec<Phone>,
        /// Credits charged, if the answer states them.
        credits: Option<Credits>,
    },
    /// Looked for and not there; not charged.
    NotFound,
    /// Said to be found, perhaps charged, but without a readable number: the person stays open until a number can be read.
    Unreadable,
    /// Still being verified; another answer may come.
    InProgress,
    /// The search stopped for want of credits (Clodura's `Insufficient Credits`): not finished.
    OutOfCredits,
}

/// A phone number. Prints redacted: numbers are personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone {
    /// As the provider gave it.
    pub raw: String,
    /// In E.164, where it can be parsed.
    pub e164: Option<String>,
    /// The extension to dial after the number, for which E.164 has no room.
    pub extension: Option<String>,
    /// The provider's word for its type, such as `mobile`.
    pub kind: Option<String>,
    /// Its type and its country.
    pub line: Classified,
}

impl Phone {
    /// Classifies the number by the provider's word for its type and by the plan of its country.
    #[must_use]
    pub fn new(
        raw: String,
        e164: Option<String>,
        extension: Option<String>,
        kind: Option<String>,
    ) -> Phone {
        let line = classify(e164.as_deref(), kind.as_deref());
        Phone { raw, e164, extension, kind, line }
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone([redacted])")
    }
}

impl std::fmt::Debug for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Finding::Found { phones, .. } => write!(f, "Found({} numbers)", phones.len()),
            Finding::NotFound => f.write_str("NotFound"),
            Finding::Unreadable => f.write_str("Unreadable"),
            Finding::InProgress => f.write_str("InProgress"),
            Finding::OutOfCredits => f.write_str("OutOfCredits"),
        }
    }
}

impl std::fmt::Debug for PersonResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonResult({:?})", self.finding)
    }
}
