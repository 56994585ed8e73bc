//! The vendors of phone numbers: how each is asked, what its answers mean, what its webhooks say.
//!
//! One file per vendor; a third one is a copy of [`ocean`] or [`clodura`] and an arm in [`webhook::parse`]. Rules for
//! all vendors (which failure may have cost money, how a body is quoted) exist once, in `meaning` and `words`.

/// Whether a body says that an order was accepted.
mod acceptance;
/// The body of an order, and the last moment at which it may leave.
pub mod body;
/// Clodura: one person a request, results by webhook or poll.
pub mod clodura;
/// The people in a body, before any provider's own reading of them.
mod entries;
/// Bodies that came compressed.
pub mod gzip;
/// The one HTTP client, and how a request becomes an answer or a failure.
pub mod http;
/// What a status or a broken connection means, the same for all providers.
mod meaning;
/// A person's numbers, in any fields.
mod numbers;
/// Ocean.io: up to 500 people a request, results by webhook only.
pub mod ocean;
/// Phone numbers in E.164.
pub mod phone;
/// The Ocean ids of people with LinkedIn addresses.
mod profiles;
/// How long an answer asks to wait.
pub mod retry_after;
/// The signature in a webhook's address, the only proof that the webhook is not forged.
pub mod signature;
/// What webhooks say.
pub mod webhook;
/// A provider's own words, made fit for logs and tables.
mod words;
/// How numbers are written.
mod writing;

pub use http::InvalidAccount;
pub use signature::Signer;
