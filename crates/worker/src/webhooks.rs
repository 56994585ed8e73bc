//! The webhook listener: the only thing that strangers can reach. A body is stored durably before it
//! is acknowledged; applying it is somebody else's work.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::TRANSFER_ENCODING;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::any;
use jobs::Provider;
use providers::gzip;
use store::NewWebhook;

use crate::app::App;
use crate::failpoint;
use crate::spool::Spool;

/// The largest body taken, unpacked: a whole call of 500 people is some 100 KiB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the database is waited for before the body goes to the spool.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// What the listener needs.
#[derive(Clone)]
pub struct Webhooks {
    /// The application.
    pub app: App,
    /// Where bodies are kept while the database is away.
    pub spool: Spool,
}

/// `POST /webhooks/{provider}/{call_id}/{signature}`; GET and HEAD say that the address is right. Nothing else.
pub fn router(webhooks: Webhooks) -> Router {
    Router::new()
        .route("/webhooks/{provider}/{call_id}/{signature}", any(receive))
        .with_state(webhooks)
}

async fn receive(
    State(webhooks): State<Webhooks>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> StatusCode {
    // Whatever else is wrong: who can't sign learns nothing.
    let Ok(Path((provider, call_id, signature))) = path else { return StatusCode::NOT_FOUND };
    let Ok(provider) = provider.parse::<Provider>() else { return StatusCode::NOT_FOUND };
    let (started, metrics) = (Instant::now(), webhooks.app.metrics());
    if !webhooks.app.signer.verify(provider, &call_id, &signature) {
        metrics.webhook_received(provider, "forged");
        return StatusCode::NOT_FOUND;
    }
    match *request.method() {
        Method::POST => {}
        // Providers and people try an address before they use it.
        Method::GET | Method::HEAD => return StatusCode::OK,
        _ => return StatusCode::NOT_FOUND,
    }
    let body = match read_body(request).await {
        Ok(body) => body,
        Err(status) => {
            tracing::warn!(call_id, %provider, status = status.as_u16(), "a webhook's body was refused");
            metrics.webhook_received(provider, "refused");
            return status;
        }
    };
    let malformed = providers::webhook::check(provider, &body).err();
    if let Some(error) = &malformed {
        tracing::warn!(call_id, %provider, %error, bytes = body.len(), "a webhook can't be read; kept for inspection");
    }
    let webhook = NewWebhook { provider, call_id, body, malformed: malformed.is_some() };
    let kept = keep(&webhooks, webhook).await;
    failpoint::reached("inbox_stored");
    let (status, outcome) = match kept {
        Ok(_) if malformed.is_some() => (StatusCode::UNPROCESSABLE_ENTITY, "malformed"),
        Ok(Kept::Stored) => (StatusCode::OK, "stored"),
        Ok(Kept::Spooled) => (StatusCode::OK, "spooled"),
        Err(Lost) => (StatusCode::SERVICE_UNAVAILABLE, "lost"),
    };
    metrics.webhook_received(provider, outcome);
    if status == StatusCode::OK {
        metrics.webhook_stored(provider, started.elapsed());
    }
    status
}

/// Where a webhook is durable.
enum Kept {
    /// In the database.
    Stored,
    /// In the spool, for when the database is back.
    Spooled,
}

/// A webhook could be kept nowhere; the provider must send it again.
struct Lost;

/// The body, unpacked.
async fn read_body(request: Request) -> Result<Vec<u8>, StatusCode> {
    if !is_framed_plainly(request.headers()) {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    let body = axum::body::to_bytes(request.into_body(), LARGEST_BODY);
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(bytes)) => match gzip::unpacked(&bytes, LARGEST_BODY) {
            Ok(plain) => Ok(plain.into_owned()),
            Err(gzip::TooLarge) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        },
        Ok(Err(error)) if is_too_large(&error) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Whether nothing but chunks was made of the body on its way (RFC 9112 §6.1).
fn is_framed_plainly(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    encodings.all(|encoding| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}

/// Durable when this returns `Ok`: in the database, or in the spool if the database is away.
async fn keep(webhooks: &Webhooks, webhook: NewWebhook) -> Result<Kept, Lost> {
    let call_id = webhook.call_id.clone();
    let stored =
        tokio::time::timeout(DATABASE_PATIENCE, webhooks.app.store.store_webhook(webhook.clone()))
            .await;
    if let Ok(Ok(())) = stored {
        return Ok(Kept::Stored);
    }
    // A write that timed out may still happen: the same body twice is applied once.
    match webhooks.spool.keep(webhook).await {
        Ok(()) => {
            tracing::warn!(call_id, "the database is away; a webhook was kept in the spool");
            Ok(Kept::Spooled)
        }
        Err(error) => {
            tracing::error!(call_id, %error, "a webhook could be kept neither in the database nor in the spool");
            Err(Lost)
        }
    }
}
