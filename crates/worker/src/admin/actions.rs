//! What can be changed from the dashboard. Each is a form that works without a script; afterwards the
//! browser is sent to a page that says what came of it, so that a reload does nothing twice.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jobs::Provider;
use maud::{Markup, html};
use serde::Deserialize;
use store::{BatchRef, RetryStates, StoreError};

use super::layout::{self, Page};
use super::{Admin, batch, words};

/// What was done, as the address of the next page says it: words of ours and a number, nothing that
/// somebody else's link could put into our mouth.
#[derive(Debug, Default, Deserialize)]
pub struct Said {
    said: Option<String>,
    of: Option<Provider>,
    rows: Option<i64>,
}

impl Said {
    /// What came of the last action.
    pub fn notice(&self) -> Markup {
        let provider = self.of.map(words::provider).unwrap_or_default();
        let rows = words::count(self.rows.unwrap_or(0), "row");
        let text = match self.said.as_deref() {
            Some("paused") => format!("{provider} is paused. What is paid for is still received."),
            Some("resumed") => format!("{provider} is asked again."),
            Some("off") => format!("{provider} is no longer paused, but no worker can use it."),
            Some("cancelled") => format!("Cancelled: {rows} ended. What is out is still received."),
            Some("retried") => format!("{rows} will be asked once more."),
            Some("raised") => format!("The ceiling at {provider} is set."),
            _ => return html! {},
        };
        html! { p.notice role="status" { (text) } }
    }
}

/// `POST /providers/{provider}/pause`
pub async fn pause(State(admin): State<Admin>, Path(provider): Path<String>) -> Response {
    let Ok(provider) = provider.parse::<Provider>() else { return no_provider() };
    let paused = admin.app.store.pause(provider).await;
    admin.changed().await;
    match paused {
        Ok(_) => {
            tracing::info!(%provider, "paused from the dashboard");
            Redirect::to(&format!("/?said=paused&of={provider}")).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// `POST /providers/{provider}/resume`
pub async fn resume(State(admin): State<Admin>, Path(provider): Path<String>) -> Response {
    let Ok(provider) = provider.parse::<Provider>() else { return no_provider() };
    let resumed = admin.app.store.resume(provider).await;
    admin.changed().await;
    match resumed {
        Ok(resumed) => {
            tracing::info!(%provider, "resumed from the dashboard");
            let said = if resumed.still_off.is_some() { "off" } else { "resumed" };
            Redirect::to(&format!("/?said={said}&of={provider}")).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// `GET /batches/{id}/cancel`: asks once more, since a cancelled row is not asked for again.
pub async fn confirm_cancel(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let found = async {
        let reference = admin.app.store.find_batch(&id).await?;
        let batch = admin.app.store.batch_overview(&reference).await?;
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
                p.subtitle { b { (words::short(batch.name.as_deref().unwrap_or(&batch.batch_id), 120)) } }
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
pub async fn cancel(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let done = async {
        let batch = admin.app.store.find_batch(&id).await?;
        let cancelled = admin.app.store.cancel(&batch).await?;
        Ok((batch, cancelled.rows))
    };
    told(&admin, "cancelled", done.await).await
}

/// `POST /batches/{id}/retry`: what failed, once more. Those who may be paid for already are asked
/// again from the command line only, which says what that costs.
pub async fn retry(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let done = async {
        let batch = admin.app.store.find_batch(&id).await?;
        let failed = RetryStates { failed: true, ..RetryStates::default() };
        let retried = admin.app.store.retry(&batch, failed).await?;
        Ok((batch, retried.rows))
    };
    told(&admin, "retried", done.await).await
}

/// What the ceiling's form sends.
#[derive(Debug, Deserialize)]
pub struct Ceiling {
    provider: Provider,
    max_credits: i64,
}

/// `POST /batches/{id}/ceiling`
pub async fn ceiling(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Form(ceiling): Form<Ceiling>,
) -> Response {
    if ceiling.max_credits < 1 {
        let page = layout::message("Nothing was changed", "A ceiling is a number above 0.");
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    let done = async {
        let batch = admin.app.store.find_batch(&id).await?;
        let ceilings = BTreeMap::from([(ceiling.provider, ceiling.max_credits)]);
        admin.app.store.set_ceilings(&batch, &ceilings).await?;
        Ok((batch, 0))
    };
    told(&admin, &format!("raised&of={}", ceiling.provider), done.await).await
}

async fn told(admin: &Admin, said: &str, done: Result<(BatchRef, i64), StoreError>) -> Response {
    admin.changed().await;
    match done {
        Ok((batch, rows)) => {
            let batch_id = batch.batch_id;
            tracing::info!(%batch_id, rows, action = said, "changed from the dashboard");
            Redirect::to(&format!("/batches/{batch_id}?said={said}&rows={rows}")).into_response()
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
