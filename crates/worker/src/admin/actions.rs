//! What can be changed from the dashboard. Each is a form that works without a script; afterwards the
//! browser is sent to a page that says what came of it, so that a reload does nothing twice.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use jobs::{Credits, Provider};
use maud::html;
use serde::Deserialize;
use store::{BatchRef, RetryStates, StoreError};

use super::access::Visitor;
use super::layout::{self, Page};
use super::notice::Notice;
use super::state::Admin;
use super::{batch, words};

/// `POST /providers/{provider}/pause`
pub async fn pause(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(provider): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(provider) = provider.parse::<Provider>() else { return no_provider() };
    let paused = visitor.acting_on(&admin.app.store).gates().pause(provider).await;
    admin.changed().await;
    match paused {
        Ok(_) => {
            tracing::info!(%provider, actor = %visitor.name, "paused from the dashboard");
            Notice::Paused(provider).on("/", &headers)
        }
        Err(error) => failed(&error),
    }
}

/// `POST /providers/{provider}/resume`
pub async fn resume(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(provider): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(provider) = provider.parse::<Provider>() else { return no_provider() };
    let resumed = visitor.acting_on(&admin.app.store).gates().resume(provider).await;
    admin.changed().await;
    match resumed {
        Ok(resumed) => {
            tracing::info!(%provider, actor = %visitor.name, "resumed from the dashboard");
            let off = resumed.still_off.is_some();
            let notice = if off { Notice::Off(provider) } else { Notice::Resumed(provider) };
            notice.on("/", &headers)
        }
        Err(error) => failed(&error),
    }
}

/// `GET /batches/{id}/cancel`: asks for a confirmation, since a cancelled row is not asked for again.
pub async fn confirm_cancel(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let found = async {
        let reference = admin.app.store.reports().find_batch(&id).await?;
        let batch = admin.app.store.reports().batch_overview(&reference).await?;
        batch.ok_or_else(|| StoreError::NotFound("there is no such batch".into()))
    };
    let batch = match found.await {
        Ok(batch) => batch,
        Err(error) => return batch::not_found(&error),
    };
    let counts = batch.counts();
    let waiting = counts.queued + counts.retrying + counts.held;
    let out = counts.sending + counts.awaiting;
    let path = format!("/batches/{}", batch.batch_id);
    let content = html! {
        main.narrow {
            section.card {
                h1 { "Cancel this batch?" }
                p.subtitle { b { (words::short(words::batch(&batch), 120)) } }
                p.subtitle {
                    (words::count(waiting, "row")) " will end as cancelled and not be asked for."
                    @if out > 0 { " " (words::count(out, "row")) " already asked for: the results are still received, and paid for." }
                }
                div.actions {
                    form method="post" action={ (path) "/cancel" } { button.danger type="submit" { "Cancel batch" } }
                    a.button href=(path) { "Keep it" }
                }
            }
        }
    };
    layout::page(&Page::still("Cancel this batch?"), content).into_response()
}

/// `POST /batches/{id}/cancel`
pub async fn cancel(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let batch = admin.app.store.reports().find_batch(&id).await?;
        let cancelled = visitor.acting_on(&admin.app.store).batches().cancel(&batch).await?;
        Ok((batch, Notice::Cancelled(cancelled.rows)))
    };
    respond(&admin, &visitor, &headers, done.await).await
}

/// `POST /batches/{id}/retry`: retries the batch's failed rows. Rows that may be paid for already are retried from
/// the command line only, which says what that costs.
pub async fn retry(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let batch = admin.app.store.reports().find_batch(&id).await?;
        let failed = RetryStates { failed: true, ..RetryStates::default() };
        let retried = visitor.acting_on(&admin.app.store).batches().retry(&batch, failed).await?;
        Ok((batch, Notice::Retried(retried.rows)))
    };
    respond(&admin, &visitor, &headers, done.await).await
}

/// What the ceiling's form sends.
#[derive(Debug, Deserialize)]
pub struct Ceiling {
    provider: Provider,
    max_credits: String,
}

/// `POST /batches/{id}/ceiling`
pub async fn ceiling(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(ceiling): Form<Ceiling>,
) -> Response {
    let max = ceiling.max_credits.parse().ok().filter(|max: &Credits| max.is_positive());
    let Some(max) = max else {
        let page = layout::message("Nothing was changed", "A ceiling is a number above 0.");
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    };
    let done = async {
        let batch = admin.app.store.reports().find_batch(&id).await?;
        let ceilings = BTreeMap::from([(ceiling.provider, Some(max))]);
        visitor.acting_on(&admin.app.store).batches().set_ceilings(&batch, &ceilings).await?;
        Ok((batch, Notice::CeilingSet(ceiling.provider)))
    };
    respond(&admin, &visitor, &headers, done.await).await
}

async fn respond(
    admin: &Admin,
    visitor: &Visitor,
    headers: &HeaderMap,
    done: Result<(BatchRef, Notice), StoreError>,
) -> Response {
    admin.changed().await;
    match done {
        Ok((batch, notice)) => {
            let batch_id = batch.batch_id;
            tracing::info!(%batch_id, actor = %visitor.name, done = ?notice, "changed from the dashboard");
            notice.on(&format!("/batches/{batch_id}"), headers)
        }
        Err(error) => failed(&error),
    }
}

fn no_provider() -> Response {
    let page = layout::message("Nothing was changed", "There is no such provider.");
    (StatusCode::NOT_FOUND, page).into_response()
}

fn failed(error: &StoreError) -> Response {
    let status = match error {
        StoreError::NotFound(_) => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    tracing::warn!(%error, "an action from the dashboard failed");
    (status, layout::message("Nothing was changed", &error.to_string())).into_response()
}
