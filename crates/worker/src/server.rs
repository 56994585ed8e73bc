//! Serves HTTP to people who may be slow, broken or hostile: headers must come within a time, and
//! connections are finished gracefully when the process stops.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// How long the head of a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at once; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 1024;
/// How long those who connected just before the end may take to begin: a connection on which nothing was read yet
/// would be closed unanswered.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long open connections may take to finish at the end.
const GOODBYE: Duration = Duration::from_secs(5);

/// The address at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves `router` until `stop`, then finishes the requests that are under way.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let places = std::sync::Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            place = std::sync::Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer)),
            Err(error) => {
                // Out of file descriptors, most likely: others must be closed first.
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut router = router.clone();
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(peer);
            async move { router.call(request).await }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A peer that breaks off is its own matter.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    tokio::time::sleep(LAST_WORDS).await;
    let _ = tokio::time::timeout(GOODBYE, graceful.shutdown()).await;
}
