//! Reads webhooks' bodies within a budget. A client that knows a signed address may send large bodies over many
//! connections. Only a limited part of them is held in memory, and bodies of the usual size don't wait for large
//! ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use futures::StreamExt;
use jobs::Provider;
use jobs::reception::USUAL_BYTES as USUAL;
use providers::gzip;
use providers::webhook::{Malformed, check};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::parser_thread::on_parser_thread;

/// The largest accepted body, unpacked: a whole call of 500 people is some 100 KiB.
const LARGEST: usize = 4 * 1024 * 1024;
/// Bytes of a body that are read, and parsed, without waiting: the result of one person.
const SMALL: usize = 16 * 1024;
/// Room for all bodies of the usual size together, in KiB.
const USUAL_BUDGET: usize = 8 * 1024;
/// Room for all larger bodies together, in KiB: two of the largest.
const LARGE_BUDGET: usize = 8 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a large body waits for room.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);

/// The budget of all bodies that are read; cheap to clone.
#[derive(Clone)]
pub struct Bodies {
    usual: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A body and its room in the budget.
pub struct Received {
    /// The body as it was sent; unpacked after [`Bodies::unpack_and_check`].
    pub bytes: Vec<u8>,
    /// Given back when the body is dropped.
    pub room: Vec<OwnedSemaphorePermit>,
}

impl Received {
    /// Whether reading the body costs little.
    pub fn is_small(&self) -> bool {
        !gzip::is_packed(&self.bytes) && self.bytes.len() <= SMALL
    }
}

impl Default for Bodies {
    fn default() -> Self {
        let of = |kib| Arc::new(Semaphore::new(kib));
        Bodies { usual: of(USUAL_BUDGET), large: of(LARGE_BUDGET) }
    }
}

impl Bodies {
    /// Reads a request's body.
    ///
    /// # Errors
    /// The status to answer with: the body is too large, broken off or too slow, or there is no room for it.
    pub async fn read(&self, request: Request) -> Result<Received, StatusCode> {
        if !is_framed_plainly(request.headers()) {
            return Err(StatusCode::NOT_IMPLEMENTED);
        }
        let declared = declared(request.headers());
        if declared.is_some_and(|length| length > LARGEST) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let reading = self.collect(request.into_body(), declared);
        let received = tokio::time::timeout(BODY_TIMEOUT, reading).await;
        received.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
    }

    async fn collect(&self, body: Body, declared: Option<usize>) -> Result<Received, StatusCode> {
        let mut received = Received { bytes: Vec::new(), room: Vec::new() };
        let mut held = SMALL;
        let mut frames = body.into_data_stream();
        if let Some(length) = declared.filter(|length| *length > SMALL) {
            held = self.make_room(&mut received, length).await?;
            received.bytes.reserve_exact(length);
        }
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
            let length = received.bytes.len() + frame.len();
            if length > LARGEST {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            // The length of this body was not declared.
            if length > held {
                held = self.make_room(&mut received, length.max(USUAL)).await?;
            }
            received.bytes.extend_from_slice(&frame);
        }
        Ok(received)
    }

    /// Waits for room for `length` bytes. Returns for how many bytes there is room.
    async fn make_room(&self, received: &mut Received, length: usize) -> Result<usize, StatusCode> {
        let (budget, room) =
            if length <= USUAL { (&self.usual, USUAL.min(length)) } else { (&self.large, LARGEST) };
        let permits = Arc::clone(budget).acquire_many_owned(kib(room));
        match tokio::time::timeout(ROOM_TIMEOUT, permits).await {
            Ok(Ok(permits)) => {
                received.room.push(permits);
                Ok(room)
            }
            _ => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// Unpacks a body and checks whether it can be read. A large or packed body is parsed on the parser thread.
    ///
    /// # Errors
    /// The status to answer with: the unpacked body is too large, or there is no room for it.
    pub async fn unpack_and_check(
        &self,
        provider: Provider,
        mut received: Received,
    ) -> Result<(Received, Option<Malformed>), StatusCode> {
        if received.is_small() {
            let malformed = guarded(|| check(provider, &received.bytes)).err();
            return Ok((received, malformed));
        }
        let packed = gzip::is_packed(&received.bytes);
        if packed {
            self.make_room(&mut received, LARGEST).await?;
        }
        let unpacked = on_parser_thread(move || {
            if let std::borrow::Cow::Owned(plain) = gzip::unpacked(&received.bytes, LARGEST)? {
                received.bytes = plain;
            }
            let malformed = guarded(|| check(provider, &received.bytes)).err();
            Ok((received, malformed))
        });
        match unpacked.await {
            Some(Ok(checked)) => Ok(checked),
            Some(Err(gzip::TooLarge)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            None => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// Runs the reader of a body. If it panics, which is a bug, the body counts as malformed: it is kept, other bodies are not
/// affected, and `enqueue replay` applies it after an upgrade.
///
/// # Errors
/// The body can't be read.
pub fn guarded<T>(read: impl FnOnce() -> Result<T, Malformed>) -> Result<T, Malformed> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Malformed::by_a_bug()))
}

/// Returns the permits for `bytes` bytes: one for each KiB begun.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Returns whether the body has no transfer coding but `chunked` (RFC 9112 §6.1).
fn is_framed_plainly(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    encodings.all(|encoding| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_whose_reader_panics_is_malformed() {
        let read = |body: &str| guarded(|| body.parse::<u8>().map_err(|_| panic!("a bug")));
        assert_eq!([read("1"), read("x"), read("2")], [Ok(1), Err(Malformed::by_a_bug()), Ok(2)]);
    }
}
