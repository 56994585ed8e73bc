//! The dashboard and the metrics, through the router: who may see them, what they show, what they
//! let through.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

mod access; // who may see it
mod audit; // who did what
mod metrics; // /metrics
mod monitoring; // the metrics that Prometheus and Grafana ask for
mod pages; // what is shown
mod roles; // who may do what
mod site; // the dashboard on a ledger of its own
