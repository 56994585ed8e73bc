//! Results that came for a call, and the outcome of applying them.

use jobs::outcome::PersonResult;
use jobs::{Credits, Provider};

use crate::results::bodies::encoded;

/// Results that came for a call.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The stored webhook that brought them; `None` for a poll or an immediate answer.
    pub inbox: Option<i64>,
    /// The call's public id.
    pub call_id: String,
    pub(crate) results: Vec<NamedResult>,
    pub(crate) credits_used: Option<Credits>,
}

/// A result and the person that it names.
#[derive(Debug, Clone)]
pub(crate) struct NamedResult {
    /// The encoded identifier of the person, parsed once; `None` if the result names none.
    pub(crate) subject: Option<String>,
    pub(crate) result: PersonResult,
}

impl Delivery {
    /// Results from `provider`; `credits_used` are the credits charged for the request, if the provider states them.
    #[must_use]
    pub fn new(
        provider: Provider,
        call_id: String,
        inbox: Option<i64>,
        results: impl IntoIterator<Item = PersonResult>,
        credits_used: Option<Credits>,
    ) -> Self {
        let named = |result: PersonResult| NamedResult {
            subject: result.person_id.as_deref().and_then(|id| encoded(provider, id)),
            result,
        };
        Delivery { inbox, call_id, results: results.into_iter().map(named).collect(), credits_used }
    }

    /// The results, whomever they name.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &PersonResult> {
        self.results.iter().map(|named| &named.result)
    }
}

/// The outcome of applying a delivery; the words of `webhook_log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// A person without a result has one now.
    Applied,
    /// Everything in it was known.
    Duplicate,
    /// Applied, after the deadline had passed.
    Late,
    /// It names no person of that call.
    UnknownPerson,
    /// There is no such call.
    UnknownCall,
    /// The person was erased; the answer was thrown away.
    Erased,
    /// A person in it was found, and no number can be read; the rest of it was applied.
    Malformed,
}

impl Applied {
    /// The word in `webhook_log`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Applied::Applied => "applied",
            Applied::Duplicate => "duplicate",
            Applied::Late => "late",
            Applied::UnknownPerson => "unknown_person",
            Applied::UnknownCall => "unknown_call",
            Applied::Erased => "erased",
            Applied::Malformed => "malformed",
        }
    }
}
