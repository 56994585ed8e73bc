//! The webhook listener: the only part that the public can reach. A body is stored durably before it is acknowledged;
//! `jobs::apply_webhooks` applies it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::routing::any;
use jobs::{Provider, Reception};
use providers::signature::ROUTE;
use store::NewWebhook;

use crate::app::App;
use crate::bodies::{Bodies, Received};
use crate::failpoint;
use crate::spool::Spool;
use crate::telemetry;

/// How long to wait for the database before the body goes to the spool.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// What the listener needs.
#[derive(Clone)]
pub struct Webhooks {
    /// The application.
    pub app: App,
    /// Where bodies are kept while the database is away.
    pub spool: Spool,
    /// How much of bodies is held in memory.
    pub bodies: Bodies,
}

/// `POST /webhooks/{provider}/{call_id}/{signature}`; GET and HEAD say that the address is right. No other address is
/// served.
pub fn router(webhooks: Webhooks) -> Router {
    Router::new().route(ROUTE, any(receive)).with_state(webhooks)
}

async fn receive(
    State(webhooks): State<Webhooks>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> StatusCode {
    // A sender without a valid signature gets 404, whatever else is wrong, and learns nothing.
    let Ok(Path((provider, call_id, signature))) = path else { return StatusCode::NOT_FOUND };
    let Ok(provider) = provider.parse::<Provider>() else { return StatusCode::NOT_FOUND };
    if !webhooks.app.signing.verify(provider, &call_id, &signature) {
        webhooks.app.metrics().webhook_received(provider, "forged");
        return StatusCode::NOT_FOUND;
    }
    match *request.method() {
        Method::POST => {}
        // Providers and people try an address before they use it.
        Method::GET | Method::HEAD => return StatusCode::OK,
        _ => return StatusCode::NOT_FOUND,
    }
    // On the heap: the router moves a handler's future several times.
    Box::pin(accept(webhooks, provider, call_id, request)).await
}

/// Takes a webhook whose address is right.
#[tracing::instrument(level = "debug", name = "webhook", skip_all, fields(%call_id, %provider, http_status, outcome))]
async fn accept(
    webhooks: Webhooks,
    provider: Provider,
    call_id: String,
    request: Request,
) -> StatusCode {
    let (started, metrics) = (Instant::now(), webhooks.app.metrics());
    let taken = match webhooks.bodies.read(request).await {
        Ok(received) => {
            // A task of its own: a whole body is kept, even if its sender leaves now.
            let taking = take(webhooks.clone(), provider, call_id.clone(), received);
            tokio::spawn(Box::pin(taking)).await.unwrap_or(Taken::Lost)
        }
        Err(status) => Taken::Refused(status),
    };
    let status = taken.status();
    if let Taken::Refused(status) = taken {
        tracing::warn!(call_id, %provider, status = status.as_u16(), "a webhook's body was refused");
    }
    metrics.webhook_received(provider, taken.outcome());
    telemetry::span_ended(Some(status.as_u16()), taken.outcome());
    if status == StatusCode::OK {
        metrics.webhook_stored(provider, started.elapsed());
    }
    status
}

/// The outcome for a body.
enum Taken {
    /// It is in the database.
    Stored,
    /// It is in the spool, for when the database is back.
    Spooled,
    /// It can't be read, and is kept for inspection.
    Malformed,
    /// It is too large, too slow, or one too many for its address.
    Refused(StatusCode),
    /// It could be kept nowhere; the provider must send it again.
    Lost,
}

impl Taken {
    fn status(&self) -> StatusCode {
        match self {
            Taken::Stored | Taken::Spooled => StatusCode::OK,
            Taken::Malformed => StatusCode::UNPROCESSABLE_ENTITY,
            Taken::Refused(status) => *status,
            Taken::Lost => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The outcome's word in the metrics.
    fn outcome(&self) -> &'static str {
        match self {
            Taken::Stored => "stored",
            Taken::Spooled => "spooled",
            Taken::Malformed => "malformed",
            Taken::Refused(_) => "refused",
            Taken::Lost => "lost",
        }
    }
}

/// Keeps a body if the call's address takes one more.
async fn take(
    webhooks: Webhooks,
    provider: Provider,
    call_id: String,
    received: Received,
) -> Taken {
    if !received.is_small()
        && let Some(refused) = refused_unread(&webhooks, &call_id, received.bytes.len()).await
    {
        return refused;
    }
    let checked = webhooks.bodies.unpack_and_check(provider, received).await;
    let (received, malformed) = match checked {
        Ok(checked) => checked,
        Err(status) => return Taken::Refused(status),
    };
    let bytes = received.bytes.len();
    let kept = keep(&webhooks, provider, call_id.clone(), received, malformed.is_some()).await;
    failpoint::reached("inbox_stored");
    match (kept, malformed) {
        (Taken::Stored | Taken::Spooled, Some(error)) => {
            tracing::warn!(call_id, %provider, %error, bytes, "a webhook can't be read; kept for inspection");
            Taken::Malformed
        }
        (kept, _) => kept,
    }
}

/// Refuses a body before it is unpacked and parsed, which costs much if it is large. While the database is away the call's
/// state is not known, and the body is kept.
async fn refused_unread(webhooks: &Webhooks, call_id: &str, bytes: usize) -> Option<Taken> {
    let reception = webhooks.app.store.results().reception(call_id, bytes);
    let reception = tokio::time::timeout(DATABASE_PATIENCE, reception).await;
    refused(reception.ok()?.ok()?)
}

fn refused(reception: Reception) -> Option<Taken> {
    match reception {
        Reception::Open => None,
        Reception::Full => Some(Taken::Refused(StatusCode::TOO_MANY_REQUESTS)),
        Reception::Ended => Some(Taken::Refused(StatusCode::GONE)),
    }
}

/// Makes a body durable: in the database if its address takes it, or in the spool if the database is away.
async fn keep(
    webhooks: &Webhooks,
    provider: Provider,
    call_id: String,
    received: Received,
    malformed: bool,
) -> Taken {
    // The body keeps its room until it is durable.
    let Received { bytes: body, room: _room } = received;
    let webhook = Arc::new(NewWebhook { provider, call_id: call_id.clone(), body, malformed });
    let storing = webhooks.app.store.results().store_webhook(Arc::clone(&webhook));
    let stored = tokio::time::timeout(DATABASE_PATIENCE, storing).await;
    if let Ok(Ok(reception)) = stored {
        return refused(reception).unwrap_or(Taken::Stored);
    }
    // A write that had begun may still happen: the same body twice is applied once.
    match webhooks.spool.keep(webhook).await {
        Ok(()) => {
            tracing::warn!(call_id, "the database is away; a webhook was kept in the spool");
            Taken::Spooled
        }
        Err(error) => {
            tracing::error!(call_id, %error, "a webhook could be kept neither in the database nor in the spool");
            Taken::Lost
        }
    }
}
