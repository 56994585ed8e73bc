//! HTTP as a provider or an attacker would send it: raw bytes on a socket, so that a test can send invalid ones.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status; 0 if the connection ended without one.
    pub status: u16,
    /// The body, as far as it was received.
    pub body: String,
}

/// Connects, sends `bytes`, and returns the open connection.
pub async fn open(address: &str, bytes: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    Ok(stream)
}

/// `GET http://{address}{path}`
pub async fn get(address: &str, path: &str) -> Reply {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )
    .await
}

/// `POST` of a JSON body to a whole URL.
pub async fn post(url: &str, body: &[u8]) -> Reply {
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (address, path) = rest.split_once('/').expect("a path");
    let mut request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    exchange(address, &request).await
}

async fn exchange(address: &str, request: &[u8]) -> Reply {
    let mut answer = Vec::new();
    let talking = async {
        let stream = TcpStream::connect(address).await?;
        let (mut from, mut to) = stream.into_split();
        // A server that refuses a body may answer before the whole body is sent.
        let sending = async { drop(to.write_all(request).await) };
        let (read, ()) = tokio::join!(from.read_to_end(&mut answer), sending);
        read.map(drop)
    };
    // Bytes that arrived before an error still count.
    let _: Result<std::io::Result<()>, _> =
        tokio::time::timeout(Duration::from_secs(60), talking).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Reply { status, body }
}
