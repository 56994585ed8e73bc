//! The ledger: what was submitted, asked, answered and paid, in SQLite or Postgres. It is the queue,
//! too: a person whose state is `queued` is the queue's entry, and a claim turns people into a call.
//!
//! One set of statements serves both databases; `dialect` holds the few words in which they differ.

mod actor;
mod audit;
mod batches;
mod calls;
mod db;
mod decode;
mod error;
mod gates;
mod people;
mod privacy;
mod reports;
mod results;
mod reveals;
mod settings;
mod store;
mod workers;

pub use actor::{Actor, Origin};
pub use audit::AuditEntry;
pub use batches::cancel::Cancelled;
pub use batches::loading::{Loaded, Loading, NewBatch};
pub use batches::other_file::batches_in;
pub use batches::preview::Preview;
pub use batches::rejected::RejectedRow;
pub use batches::retry::rows::RetryStates;
pub use batches::retry::{PayAgain, Retried};
pub use batches::submit::chunk_size::Pace;
pub use batches::submit::publish::Published;
pub use calls::claimed::{Answer, ClaimReveals, ClaimedCall, Claims};
pub use calls::deadlines::Swept;
pub use calls::polls::{ClaimedPoll, Polls};
pub use db::signals::{Subscription, Topic};
pub use db::sqlite::files::{sqlite_companions, sqlite_file};
pub use decode::BatchRef;
pub use error::{DatabaseError, Result, StoreError};
pub use gates::balance::ClaimedBalance;
pub use gates::pause::Resumed;
pub use people::links::evidence::Contradiction;
pub use people::new_row::{NewRow, NewStep};
pub use people::split::Split;
pub use privacy::erase::{Erased, Identity, Whom};
pub use privacy::purge::Purged;
pub use privacy::suppression::{Suppressed, Suppression, SuppressionCount, Unsuppressed};
pub use reports::blocked_reasons::Why;
pub use reports::counts::{COUNTED, Counts};
pub use reports::export::Columns;
pub use reports::export::page::ExportPage;
pub use reports::export::row::{ExportPhone, ExportRow};
pub use reports::outlook::KnownOfProvider;
pub use reports::overview::batches::{BatchOverview, BatchProvider};
pub use reports::overview::providers::ProviderOverview;
pub use reports::overview::{Overview, Retrying, WorkerOverview};
pub use reports::rows::{Fields, RowPage, ShownRow, is_shown_state};
pub use reports::spend::ProviderCredits;
pub use reports::status::{BatchStatus, ProviderStatus};
pub use reports::unfinished::Remaining;
pub use results::inbox::new_webhook::NewWebhook;
pub use results::inbox::{Backlog, NextWebhook, PutOff, StoredWebhook};
pub use results::settle::delivery::{Applied, Delivery};
pub use results::throughput::Minute;
pub use settings::Stamp;
pub use store::Store;
pub use workers::{NewWorker, ProviderSetup};
