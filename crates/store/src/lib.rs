//! The ledger: what was submitted, asked, answered and paid, in SQLite or Postgres. It is the queue,
//! too: a person whose state is `queued` is the queue's entry, and a claim turns people into a call.
//!
//! One set of statements serves both databases; `conn` holds the few words in which they differ.

mod abandon;
mod accept;
mod answer;
mod balance;
mod cancel;
mod ceilings;
mod changes;
mod claim;
mod conn;
mod connect;
mod erasures;
mod error;
mod export;
mod gate;
mod held_up;
mod holds;
mod inbox;
mod lanes;
mod overdue;
mod overview;
mod overview_batches;
mod pause;
mod polls;
mod preview;
mod remaining;
mod resolve;
mod retry;
mod row_page;
mod settings;
mod settle;
mod status;
mod submit;
mod throughput;
mod totals;
mod transition;
mod workers;
mod writer;

pub use answer::Answer;
pub use balance::ClaimedBalance;
pub use cancel::Cancelled;
pub use changes::{Subscription, Topic};
pub use claim::{ClaimReveals, ClaimedCall, Claims, Price};
pub use connect::Store;
pub use error::{Result, StoreError};
pub use export::{Columns, ExportPhone, ExportRow};
pub use inbox::{NewWebhook, StoredWebhook};
pub use overdue::Swept;
pub use overview::{COUNTED, Counts, Overview, ProviderOverview, Retrying, WorkerOverview};
pub use overview_batches::{BatchOverview, BatchProvider};
pub use pause::Resumed;
pub use polls::{ClaimedPoll, Polls};
pub use preview::Preview;
pub use remaining::Remaining;
pub use retry::{PayAgain, Retried, RetryStates};
pub use row_page::{RowPage, ShownRow, is_shown_state};
pub use settings::Stamp;
pub use settle::{Applied, Delivery};
pub use status::{BatchRef, BatchStatus, ProviderStatus};
pub use submit::{Loaded, Loading, NewBatch, NewRow, NewStep, Published};
pub use throughput::Minute;
pub use workers::{NewWorker, ProviderSetup};
