//! A provider made of a bare TCP listener. It answers byte by byte as a test says, or breaks off where the test says,
//! and keeps the requests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub const KEY: &str = "s3cret-key-0f-a-t3st";

/// Long enough that only a reply that never comes runs into it.
pub const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub enum Reply {
    /// Written as it is; the connection stays open for the next request.
    Bytes(Vec<u8>),
    /// Written as it is; then the connection is closed.
    BytesThenClose(Vec<u8>),
    /// Closed without a byte.
    Close,
    /// Reset without a byte.
    Reset,
    /// Nothing, for as long as the client waits.
    Silence,
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
    Reply::Bytes((head + body).into_bytes())
}

#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn has_body(&self) -> bool {
        !self.body.is_empty()
    }
}

pub struct Stub {
    pub url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// Starts a stub that gives one reply after the other, and repeats the last one from then on.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let replies = Arc::new(Mutex::new(replies.into_iter().collect::<VecDeque<_>>()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&seen)));
            }
        });
        Stub { url, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "requests: {requests:?}");
        requests.into_iter().next().unwrap()
    }

    pub fn ocean(&self) -> providers::ocean::Client {
        providers::ocean::Client::new(self.url.clone(), key(), http()).unwrap()
    }

    pub fn clodura(&self) -> providers::clodura::Client {
        providers::clodura::Client::new(self.url.clone(), key(), http()).unwrap()
    }
}

pub fn key() -> SecretString {
    SecretString::from(KEY)
}

pub fn http() -> reqwest::Client {
    providers::http::client(TIMEOUT).unwrap()
}

/// Checks that `Debug` shows neither the key nor anything like a phone number: neither may ever reach a log.
#[track_caller]
pub fn discreet<T: Debug>(value: T) -> T {
    let shown = format!("{value:?}");
    assert!(!shown.contains(KEY), "{shown}");
    assert!(!shown.contains("5550100"), "{shown}");
    value
}

async fn serve(
    stream: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Request>>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        seen.lock().unwrap().push(request);
        let reply = {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
        };
        match reply.expect("a reply") {
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Reply::BytesThenClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::Close => return,
            Reply::Reset => {
                stream.get_ref().set_zero_linger().unwrap();
                return;
            }
            Reply::Silence => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let line = read_line(stream).await?;
    let mut headers = Vec::new();
    loop {
        let header = read_line(stream).await?;
        let Some((name, value)) = header.split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request { line, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}
