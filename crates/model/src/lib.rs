//! A model of the ledger, its workers and a provider, small enough to be searched in full.
//!
//! There are two people, two workers and a few calls. A worker may crash or freeze at any point, a request or its
//! response may be lost or late, a webhook may be lost, late, repeated or contradict an earlier one. The search visits
//! every state that these events can lead to, and checks in each whether the promises of README.md hold. A state of the
//! model means the same as in the ledger: the model uses `RevealState`, `CallState`, the ranks of results, the
//! allocation of credits and the choice among a person's reveals from `jobs`, and each of its transitions names the
//! file of the ledger that it stands for.
//!
//! Each [`Guard`] can be removed. Without it the search must find a way to break a promise: this shows that the
//! guard is needed, and that the model is rich enough to notice.

/// What may happen, and how the model is searched.
pub mod action;
/// The guards that keep the promises.
pub mod guard;
/// What workers and the user do to the ledger.
mod ledger;
/// The promises, which must hold in every state.
pub mod promise;
/// The provider and the network.
mod provider;
/// From bodies of webhooks to results.
mod settle;
/// The state: the ledger, the workers, the provider.
pub mod state;

pub use action::Action;
pub use guard::{Bounds, Guard, Rules};
pub use promise::Promise;
pub use state::State;
