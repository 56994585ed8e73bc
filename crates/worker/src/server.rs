//! Serves HTTP to clients that may be slow, broken or hostile. Each step has a time limit. At the limit of
//! connections, the one that has been longest without a whole request is closed. At the end of the process, requests
//! under way are finished.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::connections::{Connection, Connections, Limits};
use crate::stalled::Stalled;

/// How long the head of a request may take to arrive, from the connection's start or from the answer before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may read nothing of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest head, and the most that a connection buffers: genuine heads have some hundred bytes.
const LARGEST_HEAD: usize = 16 * 1024;
/// How long clients that connected just before the end may take to begin: a connection on which nothing was read yet
/// would be closed unanswered.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long open connections may take to finish at the end.
const GOODBYE: Duration = Duration::from_secs(5);

/// The address at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How a listener treats its clients.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How many connections it holds.
    pub limits: Limits,
    /// How long the head of a request may take to arrive.
    pub head: Duration,
    /// How long a client may read nothing of its answer.
    pub write: Duration,
}

impl Patience {
    /// With at most `total` connections.
    #[must_use]
    pub fn with(total: usize) -> Self {
        let limits = Limits { total, per_address: (total / 8).max(1) };
        Patience { limits, head: HEADER_TIMEOUT, write: WRITE_TIMEOUT }
    }
}

/// Serves `router` until `stop`, then finishes the requests that are under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(patience.limits);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: other connections must be closed first.
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // A client that was accepted is served, if there is room, even if the end came meanwhile.
        let place = tokio::select! {
            biased;
            place = connections.admit(peer.ip()) => place,
            () = stop.cancelled() => break,
        };
        tokio::spawn(converse(stream, Peer(peer), router.clone(), patience, place, &graceful));
    }
    drop(listener);
    tokio::time::sleep(LAST_WORDS).await;
    let _ = tokio::time::timeout(GOODBYE, graceful.shutdown()).await;
}

/// Answers the requests of one connection, until either side ends it or its place is needed.
fn converse(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    patience: Patience,
    place: Arc<Connection>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    let _ = stream.set_nodelay(true);
    let used = Arc::clone(&place);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (mut router, place) = (router.clone(), Arc::clone(&used));
        async move {
            let body = |body| Body::new(Watched::new(body, Arc::clone(&place)));
            let mut request = request.map(body);
            request.extensions_mut().insert(peer);
            let answer = router.call(request).await;
            place.answered();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(LARGEST_HEAD)
        // A sender that closes its side as soon as it has sent a body may still be read.
        .half_close(true)
        .serve_connection(TokioIo::new(Stalled::new(stream, patience.write)), service);
    let connection = graceful.watch(connection);
    async move {
        tokio::select! {
            // A peer that breaks off is no error of this process.
            _ = connection => {}
            () = place.evicted.cancelled() => {}
        }
    }
}

/// A request's body, which marks the connection once it has arrived whole.
struct Watched {
    body: Incoming,
    place: Arc<Connection>,
}

impl Watched {
    fn new(body: Incoming, place: Arc<Connection>) -> Self {
        if body.is_end_stream() {
            place.has_request();
        }
        Watched { body, place }
    }
}

impl HttpBody for Watched {
    type Data = <Incoming as HttpBody>::Data;
    type Error = <Incoming as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.place.has_request();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
