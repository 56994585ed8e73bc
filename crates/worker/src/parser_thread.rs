//! The thread that parses bodies, one after the other. The threads that serve don't wait for a large body, and there is one
//! tree of JSON at a time. The system's allocator keeps freed memory for the thread that used it, so that a pool of threads
//! would keep the memory of a tree for each of them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

static PARSER: LazyLock<Sender<Work>> = LazyLock::new(|| {
    let (sender, works) = channel::<Work>();
    let run = move || works.into_iter().for_each(|work| work());
    if let Err(error) = thread::Builder::new().name("parser".to_owned()).spawn(run) {
        tracing::error!(%error, "no thread can be started: bodies can't be parsed");
    }
    sender
});

/// Runs `work` on the parser thread, after all work that was given to it before. Returns `None` if the system could not
/// start the thread.
///
/// # Panics
/// If `work` panics. The thread goes on.
pub async fn on_parser_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    let work = move || {
        // If the caller was cancelled, the receiver is gone.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    };
    PARSER.send(Box::new(work)).ok()?;
    match result.await.ok()? {
        Ok(value) => Some(value),
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_thread_goes_on_after_a_panic() {
        let broken = tokio::spawn(on_parser_thread(|| panic!("a bug")));
        assert!(broken.await.is_err_and(|error| error.is_panic()));
        assert_eq!(on_parser_thread(|| 1).await, Some(1));
    }
}
