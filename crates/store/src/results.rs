//! Webhooks and results from providers: webhooks are stored as they came, results are applied.

pub(crate) mod bodies;
pub(crate) mod inbox;
pub(crate) mod last_poll;
pub(crate) mod settle;
pub(crate) mod taken_back;
pub(crate) mod throughput;
