//! The dashboard and the metrics, through the router: who may see them, what they show, what they
//! let through.

mod access; // who may see it
mod metrics; // /metrics
mod pages; // what is shown
mod site; // the dashboard on a ledger of its own
