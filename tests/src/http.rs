//! HTTP as a provider or a stranger would send it: bytes on a socket, so that they may be wrong.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status; 0 where the connection ended without one.
    pub status: u16,
    /// Its body, or what there was of it.
    pub body: String,
}

/// Connects, and sends `head` and whatever the caller wants next.
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
        // Who refuses a body may answer before all of it was sent.
        let sending = async { drop(to.write_all(request).await) };
        let (read, ()) = tokio::join!(from.read_to_end(&mut answer), sending);
        read.map(drop)
    };
    // What came before an error still counts.
    let _: Result<std::io::Result<()>, _> =
        tokio::time::timeout(Duration::from_secs(60), talking).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Reply { status, body }
}
