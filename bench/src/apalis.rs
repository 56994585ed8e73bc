use std::time::Duration;

/// Stock apalis is stopped after so long: as shipped it slows down the more it has done, and never ends.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// As many tasks at the same time as the product has requests open at Clodura.
pub const AT_ONCE: usize = 32;

/// Stock apalis on one database: tasks a second, one task a person.
#[derive(Debug, Clone, Copy)]
pub struct Apalis {
    pub push: f64,
    /// Handlers that do nothing.
    pub as_shipped: f64,
    /// The same with indexes that acknowledge quickly, and larger batches.
    pub repaired: f64,
    /// And handlers that send what a person at Clodura takes.
    pub with_requests: f64,
}
