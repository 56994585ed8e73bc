//! Tasks that must run for as long as the process does. A task that panics would be missing silently, so it ends the
//! process.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Starts tasks and watches them; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    failed: Arc<OnceLock<&'static str>>,
    failure: CancellationToken,
}

impl Supervisor {
    /// Starts a task. If the task panics, that is logged, and [`Supervisor::failed`] returns.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let this = self.clone();
        tokio::spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a task ended by a bug; the worker stops");
                let _ = this.failed.set(name);
                this.failure.cancel();
            }
        })
    }

    /// Returns once a task has panicked.
    pub async fn failed(&self) {
        self.failure.cancelled().await;
    }

    /// The first task that panicked.
    #[must_use]
    pub fn failure(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_reported() {
        let supervisor = Supervisor::default();
        supervisor.spawn("one that ends", async {}).await.unwrap();
        assert_eq!(supervisor.failure(), None);
        let stays = supervisor.spawn("one that stays", std::future::pending());
        supervisor.spawn("one with a bug", async { panic!("a bug") }).await.unwrap();
        supervisor.failed().await;
        assert_eq!(supervisor.failure(), Some("one with a bug"));
        assert!(!stays.is_finished());
    }
}
