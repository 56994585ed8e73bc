//! One job for the writing connection, and the caller that waits for it.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::oneshot;

use crate::conn::Conn;
use crate::error::{DbError, Failure, Result, WorkError};
use crate::transaction::{BoxFuture, Durability, Urgency};

pub(super) trait Job: Send {
    /// How durable it must be.
    fn durability(&self) -> Durability;
    /// Whether it goes before others.
    fn is_urgent(&self) -> bool;
    /// Runs the work; whether its savepoint is to be kept.
    fn run<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, bool>;
    /// Notifies the caller, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<()>);
}

pub(super) struct TypedJob<T, E, F> {
    pub(super) durability: Durability,
    pub(super) urgency: Urgency,
    pub(super) work: Option<F>,
    pub(super) result: Option<Result<T, E>>,
    pub(super) reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for TypedJob<T, E, F>
where
    T: Send + 'static,
    E: WorkError,
    F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn is_urgent(&self) -> bool {
        self.urgency == Urgency::Urgent
    }

    fn run<'a>(&'a mut self, conn: &'a mut Conn) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            // A panic in one caller's work must not fail the others'.
            let result = AssertUnwindSafe(work(conn))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(DbError::from(Failure::Panicked).into()));
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(DbError::from(Failure::Closed).into()),
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error.into()),
        };
        // The caller may be gone; its work stands.
        let _ = self.reply.send(result);
    }
}
