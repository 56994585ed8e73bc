//! The domain of reveal-queue: what is asked, what can come of it, and the decisions that need no
//! database and no network.

/// How long to wait before asking again: exponential, full jitter, bounded.
pub mod backoff;
/// Which batch pays for which person, and how many people fit into what is left.
pub mod budget;
/// What a request cost, divided among its people.
pub mod charge;
/// Time as the ledger writes it, and where it comes from.
pub mod clock;
/// Credits, to the thousandth.
pub mod credits;
/// Durations and rates as people write them: `500ms`, `24h`, `2/s`.
pub mod duration;
/// How batches share what a provider takes.
pub mod fairness;
/// The form in which a file came.
pub mod file_form;
/// The circuit breaker of a provider.
pub mod gate;
/// Who is who: one person's identifiers, and which of a person's reveals counts.
pub mod identity;
/// Ids that never repeat: batches, calls, workers.
pub mod ids;
/// Bodies that came from outside, as JSON.
pub mod json;
/// What 429s teach about a provider's limit.
pub mod learned_rate;
/// Looking people up at Ocean by their LinkedIn addresses.
pub mod lookup;
/// Whether a 404 is about the person who was asked for.
pub mod not_found;
/// What a provider's answer means, whichever provider gave it.
pub mod outcome;
/// What a batch will come to, said before it is asked.
pub mod outlook;
/// A person's identifiers, each in its one normal form.
pub mod person;
/// What a phone number is, and where.
pub mod phone_type;
/// The settings by which the queue is worked off.
pub mod policy;
/// What people cost.
pub mod price;
/// The providers, and what is particular to each.
pub mod provider;
/// How many requests may go now.
pub mod rate;
/// What the webhook address of one call takes.
pub mod reception;
/// What the ledger says was spent, beside what the accounts say.
pub mod reconcile;
/// Secrets that come from a file.
pub mod secret_file;
/// States of reveals, rows, calls and gates.
pub mod state;
/// What a refusal means for people and gate.
pub mod verdict;
/// Words of others, made fit for logs, tables and pages.
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
