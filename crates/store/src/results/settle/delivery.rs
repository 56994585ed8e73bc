//! Results that came for a call, and the outcome of applying them.

use jobs::Credits;
use jobs::outcome::PersonResult;

/// Results that came for a call.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The stored webhook that brought them; `None` for a poll or an immediate answer.
    pub inbox: Option<i64>,
    /// The call's public id.
    pub call_id: String,
    /// The results.
    pub results: Vec<PersonResult>,
    /// The credits charged for the request, if the provider states them.
    pub credits_used: Option<Credits>,
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
