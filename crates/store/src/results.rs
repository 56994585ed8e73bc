//! What providers send: webhooks as they came, results applied.

pub(crate) mod bodies;
pub(crate) mod inbox;
pub(crate) mod last_poll;
pub(crate) mod settle;
pub(crate) mod taken_back;
pub(crate) mod throughput;
