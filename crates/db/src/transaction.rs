//! What is asked of a transaction: how durable it is, and what it goes before.

use std::future::Future;
use std::pin::Pin;

/// A future that borrows the connection.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whether a transaction must have reached the disk when it is reported as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It must.
    Full,
    /// It may be lost in a power cut, because nothing was acknowledged yet. A later full one makes it
    /// durable, too, since both databases keep their logs in order.
    WithTheNext,
}

/// In which order transactions get SQLite's one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// In the order in which they came.
    Usual,
    /// Before all that isn't urgent, and committed soon: another system waits for it.
    Urgent,
}
