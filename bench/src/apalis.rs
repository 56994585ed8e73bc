use std::time::Duration;

/// After this long stock apalis is stopped. As shipped it slows down with every task done, and never ends.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// How many tasks run at the same time: as many as the product has requests open at Clodura.
pub const AT_ONCE: usize = 32;

/// Stock apalis on one database: tasks a second, one task a person.
#[derive(Debug, Clone, Copy)]
pub struct Apalis {
    pub push: f64,
    /// Handlers that do nothing.
    pub as_shipped: f64,
    /// The same handlers, with indexes that allow quick acknowledgements, and larger batches.
    pub repaired: f64,
    /// The same repairs, with handlers that send the requests that a person at Clodura takes.
    pub with_requests: f64,
}
