//! The domain of reveal-queue: what is asked, what can come of it, and the decisions that need no
//! database and no network.

/// How long to wait before asking again: exponential, full jitter, bounded.
pub mod backoff;
/// Which batch pays for which person, and how many people the credits left pay for.
pub mod budget;
/// How the people of a claim are put into calls.
pub mod call_plan;
/// Divides the cost of a request among its people.
pub mod charge;
/// Time as the ledger writes it, and its source.
pub mod clock;
/// Credits, to the thousandth.
pub mod credits;
/// Durations and rates as people write them: `500ms`, `24h`, `2/s`.
pub mod duration;
/// How batches share a provider's rate.
pub mod fairness;
/// The form of a submitted file.
pub mod file_form;
/// The circuit breaker of a provider.
pub mod gate;
/// One person's identifiers, and which of a person's reveals counts.
pub mod identity;
/// Ids that never repeat: batches, calls, workers.
pub mod ids;
/// Bodies that came from outside, as JSON.
pub mod json;
/// Learns a provider's limit from its 429s.
pub mod learned_rate;
/// Looking people up at Ocean by their LinkedIn addresses.
pub mod lookup;
/// Whether a 404 is about the person who was asked for.
pub mod not_found;
/// The numbering plans of all countries.
pub mod numbering;
/// The meaning of an answer, the same for all providers.
pub mod outcome;
/// The expected cost and time of a batch, before it is asked.
pub mod outlook;
/// Which batch owns a person who waits.
pub mod ownership;
/// A person's identifiers, each in its one normal form.
pub mod person;
/// The type and the country of a phone number.
pub mod phone_type;
/// The settings of the queue.
pub mod policy;
/// The price of a person.
pub mod price;
/// The providers, and what is particular to each.
pub mod provider;
/// How many requests may go now.
pub mod rate;
/// How much the webhook address of one call accepts.
pub mod reception;
/// Compares the ledger's spending with the accounts' balances.
pub mod reconcile;
/// Secrets that come from a file.
pub mod secret_file;
/// States of reveals, rows, calls and gates.
pub mod state;
/// What a refusal means for people and gate.
pub mod verdict;
/// Text from outside, made fit for logs, tables and pages.
pub mod words;

pub use clock::{Clock, Timestamp};
pub use credits::Credits;
pub use duration::Rate;
pub use file_form::{FileForm, FileFormat, LineEnd};
pub use ids::{BatchId, CallId, WorkerId};
pub use person::{Identifier, IdentifierKind};
pub use phone_type::PhoneType;
pub use policy::{Policy, Retention};
pub use price::{OceanPlan, PerPerson, Price, Tariff};
pub use provider::Provider;
pub use reception::Reception;
pub use secret_file::SecretFile;
pub use state::{CallKind, CallState, GateReason, GateState, OffReason, RevealState};
