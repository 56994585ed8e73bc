//! Tells when a request has left, for tests that end the process just then. Debug builds only.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use reqwest::RequestBuilder;
use serde::Serialize;
use tokio::sync::oneshot;

tokio::task_local! {
    static LEFT: RefCell<Option<oneshot::Sender<()>>>;
}

/// Runs `request`; `left` hears when the connection has taken the whole of its body.
pub async fn watched<T>(request: impl Future<Output = T>, left: oneshot::Sender<()>) -> T {
    LEFT.scope(RefCell::new(Some(left)), request).await
}

/// Has the body of a request that somebody watches tell when it has left.
pub(crate) fn watch(request: RequestBuilder, body: &impl Serialize) -> RequestBuilder {
    let left = LEFT.try_with(|left| left.borrow_mut().take()).ok().flatten();
    match (left, serde_json::to_vec(body)) {
        (Some(left), Ok(bytes)) => {
            let bytes = Some(Bytes::from(bytes));
            request.body(reqwest::Body::wrap(Watched { bytes, left: Some(left) }))
        }
        _ => request,
    }
}

/// All in one piece. The connection drops it once it has taken that.
struct Watched {
    bytes: Option<Bytes>,
    left: Option<oneshot::Sender<()>>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(left) = self.left.take().filter(|_| self.bytes.is_none()) {
            // Nobody waits for it any more; then nobody has to know.
            let _ = left.send(());
        }
    }
}
