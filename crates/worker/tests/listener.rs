//! The listener under clients that are slow on purpose.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by panicking"
)]

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use end_to_end::{open, post as send};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use worker::server::{Patience, serve};

/// Longer than any test waits: an event within it has another cause.
const NEVER: Duration = Duration::from_secs(600);
/// Every expected event happens by then.
const BOUND: Duration = Duration::from_secs(20);

/// Serves `/echo`, which answers with the body, and `/large`, which answers with more than a socket holds.
async fn listener(patience: Patience) -> (String, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new()
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/large", get(|| async { vec![b'x'; 16 * 1024 * 1024] }));
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, router, patience, stop.clone()));
    (address, stop)
}

fn patient(total: usize) -> Patience {
    Patience { head: NEVER, write: NEVER, ..Patience::with(total) }
}

async fn is_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // Closed or reset: either way the client notices.
    let _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut rest)).await.expect("it is closed");
}

#[tokio::test]
async fn clients_that_never_finish_a_request_make_way_for_those_that_do() {
    let (address, stop) = listener(patient(32)).await;
    let unfinished: [&[u8]; 3] = [
        b"",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-le",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc",
    ];
    let mut slow = Vec::new();
    for n in 0..96 {
        slow.push(open(&address, unfinished[n % 3]).await.unwrap());
    }
    for _ in 0..10 {
        let url = format!("http://{address}/echo");
        let reply = tokio::time::timeout(BOUND, send(&url, b"real")).await.expect("an answer");
        assert_eq!((reply.status, reply.body), (StatusCode::OK.as_u16(), "real".to_owned()));
    }
    // The oldest had to go.
    is_closed(slow.remove(0)).await;
    stop.cancel();
}

#[tokio::test]
async fn a_request_that_is_worked_on_keeps_its_place() {
    let (began, mut working) = mpsc::channel::<()>(1);
    let release = CancellationToken::new();
    let (listening, finish) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), release.clone());
    let address = listening.local_addr().unwrap().to_string();
    let work = move |_: Bytes| {
        let (began, finish) = (began.clone(), finish.clone());
        async move {
            began.send(()).await.unwrap();
            finish.cancelled().await;
            "done"
        }
    };
    let router = Router::new().route("/work", post(work));
    let stop = CancellationToken::new();
    tokio::spawn(serve(listening, router, patient(4), stop.clone()));

    let url = format!("http://{address}/work");
    let worked_on = tokio::spawn(async move { send(&url, b"real").await.body });
    working.recv().await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(open(&address, b"").await.unwrap());
    }
    is_closed(idle.remove(0)).await;
    release.cancel();
    assert_eq!(tokio::time::timeout(BOUND, worked_on).await.unwrap().unwrap(), "done");
    stop.cancel();
}

#[tokio::test]
async fn each_step_has_its_time() {
    let moment = Duration::from_millis(50);
    let (address, stop) = listener(Patience { head: moment, ..patient(32) }).await;
    is_closed(open(&address, b"").await.unwrap()).await;
    is_closed(open(&address, b"POST /echo HT").await.unwrap()).await;
    stop.cancel();

    let (address, stop) = listener(Patience { write: moment, ..patient(32) }).await;
    let mut never_reads = open(&address, b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Bytes sent to a connection that was broken off are answered with a reset.
    let broken = async {
        while never_reads.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, broken).await.expect("it is broken off");
    stop.cancel();
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let (address, stop) = listener(patient(32)).await;
    let mut head = b"POST /echo HTTP/1.1\r\n".to_vec();
    head.resize(64 * 1024, b'a');
    is_closed(open(&address, &head).await.unwrap()).await;
    stop.cancel();
}
