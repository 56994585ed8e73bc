//! The ledger: what was submitted, asked, answered and paid, in SQLite or Postgres. It is the queue,
//! too: a person whose state is `queued` is the queue's entry, and a claim turns people into a call.
//!
//! One set of statements serves both databases; the crate `db` runs them.

// `tests/layers` has these areas from the bottom up, with what each may import.

/// The person or program that acts by hand.
mod actor;
/// The audit log of actions done by hand.
mod audit;
/// Batches that a user submits, and what the user does with them afterwards.
mod batches;
/// Requests that may cost credits.
mod calls;
/// The meaning of stored values.
mod decode;
/// Errors.
mod error;
/// Whether anything may be sent to a provider.
mod gates;
/// Where a look for waiting work starts.
mod low_mark;
#[cfg(test)]
mod old_versions;
/// From identifiers to people.
mod people;
/// Erasing people, and purging batches.
mod privacy;
/// Reports: status, reasons, overview, rows, export.
mod reports;
/// Webhooks and results from providers.
mod results;
/// The state of each reveal, and the rows that display it.
mod reveals;
/// The schema of the database.
mod schema;
/// Whether the numbers are real or made up, and the keys that live in the database.
mod settings;
/// The open ledger, which the areas add their operations to.
mod store;
/// Work that becomes due by time alone.
mod sweep;
/// Changes that other tasks and processes may wait for.
mod topic;
/// The workers and their settings.
mod workers;

pub use actor::{Actor, Origin};
pub use audit::{Audit, AuditEntry};
pub use batches::Batches;
pub use batches::cancel::Cancelled;
pub use batches::loading::{Loaded, Loading, NewBatch};
pub use batches::other_file::batches_in;
pub use batches::preview::Preview;
pub use batches::rejected::RejectedRow;
pub use batches::retry::rows::RetryStates;
pub use batches::retry::{PayAgain, Retried};
pub use batches::submit::chunk_size::ChunkSize;
pub use batches::submit::publish::Published;
pub use calls::Calls;
pub use calls::claimed::{Answer, ClaimReveals, ClaimedCall, Claims};
pub use calls::deadlines::Swept;
pub use calls::polls::{ClaimedPoll, Polls};
pub use db::{DbError, Scrubbed, Subscription, Traces, sqlite_companions, sqlite_file};
pub use decode::BatchRef;
pub use error::{Result, StoreError};
pub use gates::Gates;
pub use gates::balance::ClaimedBalance;
pub use gates::pause::Resumed;
pub use people::People;
pub use people::links::evidence::Contradiction;
pub use people::new_row::{NewRow, NewStep};
pub use people::split::Split;
pub use privacy::Privacy;
pub use privacy::erase::{Erased, Erasure, ErasureTarget, Identity};
pub use privacy::purge::{Purge, Purged};
pub use privacy::suppression::{Suppressed, Suppression, SuppressionCount, Unsuppressed};
pub use reports::Reports;
pub use reports::blocked_reasons::Why;
pub use reports::counts::{COUNTED, Counts};
pub use reports::export::Columns;
pub use reports::export::page::ExportPage;
pub use reports::export::row::{ExportPhone, ExportRow};
pub use reports::outlook::KnownOfProvider;
pub use reports::overview::batches::{BatchOverview, BatchProvider};
pub use reports::overview::providers::ProviderOverview;
pub use reports::overview::{Overview, Retrying, WorkerOverview};
pub use reports::rows::{DisplayedRow, Fields, RowPage, is_displayed_state};
pub use reports::spend::ProviderCredits;
pub use reports::status::{BatchStatus, ProviderStatus};
pub use reports::unfinished::Unfinished;
pub use results::Results;
pub use results::inbox::new_webhook::NewWebhook;
pub use results::inbox::stored::StoredWebhook;
pub use results::inbox::{Backlog, NextWebhook, PutOff};
pub use results::settle::delivery::{Applied, Delivery};
pub use results::throughput::Minute;
pub use settings::{Settings, Stamp};
pub use store::Store;
pub use topic::Topic;
pub use workers::{NewWorker, ProviderSetup, Workers};
