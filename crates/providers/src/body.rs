#[cfg(debug_assertions)]
use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use jobs::{Clock, Timestamp};
#[cfg(debug_assertions)]
use tokio::sync::oneshot;

/// The last moment at which an order may leave, by the ledger's clock.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// The clock.
    pub clock: Clock,
    /// When the order was written down.
    pub written_at: Timestamp,
    /// How long after that the order may leave at most.
    pub patience: Duration,
}

impl Deadline {
    /// Whether it is too late to send the order.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.clock.now().since(self.written_at) > self.patience
    }
}

tokio::task_local! {
    static DEADLINE: Deadline;
}
#[cfg(debug_assertions)]
tokio::task_local! {
    static LEFT: RefCell<Option<oneshot::Sender<()>>>;
}

/// Runs `request`; its order is not sent once `deadline` is over. The deadline is checked when the connection is open
/// and the first byte is due.
pub async fn by<T>(deadline: Deadline, request: impl Future<Output = T>) -> T {
    DEADLINE.scope(deadline, request).await
}

/// Runs `request`; signals `left` when the connection has taken the whole of its body. For tests that end the process
/// at that moment; debug builds only.
#[cfg(debug_assertions)]
pub async fn watched<T>(request: impl Future<Output = T>, left: oneshot::Sender<()>) -> T {
    LEFT.scope(RefCell::new(Some(left)), request).await
}

/// A body that checks the order's deadline before it hands out its bytes.
pub(crate) fn guarded(bytes: Bytes) -> reqwest::Body {
    reqwest::Body::wrap(Guarded {
        bytes: Some(bytes),
        deadline: DEADLINE.try_with(Clone::clone).ok(),
        #[cfg(debug_assertions)]
        left: LEFT.try_with(|left| left.borrow_mut().take()).ok().flatten(),
    })
}

/// Whether a request failed because its deadline was over: nothing of its body was sent.
pub(crate) fn was_too_late(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooLate>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[derive(Debug, thiserror::Error)]
#[error("too much time passed before it could be sent")]
struct TooLate;

/// A body in one piece. The connection drops it once it has taken the piece.
struct Guarded {
    bytes: Option<Bytes>,
    deadline: Option<Deadline>,
    #[cfg(debug_assertions)]
    left: Option<oneshot::Sender<()>>,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        if self.bytes.is_some() && self.deadline.as_ref().is_some_and(Deadline::is_over) {
            return Poll::Ready(Some(Err(TooLate)));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(debug_assertions)]
impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(left) = self.left.take().filter(|_| self.bytes.is_none()) {
            // Fails only if no test waits for it any more.
            let _ = left.send(());
        }
    }
}
