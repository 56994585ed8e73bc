//! What is served on `ADMIN_ADDR`: health for supervisors, metrics for Prometheus, and the dashboard. A page is
//! computed once for all its readers; without readers nothing is computed.

/// Who may see the dashboard.
pub mod access;
/// The changes that can be made on the dashboard.
mod actions;
/// The audit log.
mod audit;
/// `/batches/{id}`.
mod batch;
/// `/batches`, and the batches of the front page.
mod batches;
/// Reads of the ledger that all visitors share.
mod cached;
/// The answers to requests without a valid token.
mod challenge;
/// Bars and a plot.
mod charts;
/// The cookies.
mod cookies;
/// A batch's rows as a file.
mod export;
/// The file name of an export.
mod file_name;
/// Lets requests through, or refuses them.
mod guard;
/// `/`.
mod home;
/// The frame of all pages.
mod layout;
/// Pages that stay up to date.
mod live;
/// The login form.
mod login;
/// `/metrics`.
mod metrics;
/// The outcome of the last action.
mod notice;
/// The user's own columns.
mod own;
/// The state of each provider.
mod providers;
/// A batch's rows.
mod rows;
/// The data that the pages need.
mod state;
/// What is stuck, and why.
mod stuck;
/// Numbers, times and states as people read them.
mod words;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

pub use access::Access;
use access::roles::Action;
pub use access::tokens::{Tokens, TokensFile};
pub(crate) use metrics::text as metrics_text;
use state::Admin;

use crate::app::App;

/// Forms are small.
const LARGEST_FORM: usize = 16 * 1024;

/// Serves everything on `ADMIN_ADDR`. `/healthz` says that the process lives, `/readyz` that the database answers,
/// too; both are open to every client.
pub fn router(app: App, access: Access) -> Router {
    let admin = Admin::new(app, access);
    let guarded = Router::new()
        .route("/", page(Action::See, get(home::show)))
        .route("/metrics", page(Action::See, get(metrics::scrape)))
        .route("/audit", page(Action::ReadAuditLog, get(audit::show)))
        .route("/batches", page(Action::See, get(batches::show)))
        .route("/batches/{id}", page(Action::See, get(batch::show)))
        .route("/batches/{id}/export.csv", page(Action::Export, get(export::csv)))
        .route("/batches/{id}/export.jsonl", page(Action::Export, get(export::json_lines)))
        .route(
            "/batches/{id}/cancel",
            page(Action::Cancel, get(actions::confirm_cancel).post(actions::cancel)),
        )
        .route("/batches/{id}/retry", page(Action::Retry, post(actions::retry)))
        .route("/batches/{id}/ceiling", page(Action::SetCeiling, post(actions::ceiling)))
        .route("/providers/{provider}/pause", page(Action::Pause, post(actions::pause)))
        .route("/providers/{provider}/resume", page(Action::Resume, post(actions::resume)))
        .route(challenge::PATH, get(login::form).post(login::submit))
        .route("/logout", post(login::logout))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn_with_state(admin.clone(), guard::guard));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .layer(map_response(layout::headers))
        .with_state(admin)
}

/// Serves an address to visitors whose role may do `action`.
fn page(action: Action, methods: MethodRouter<Admin>) -> MethodRouter<Admin> {
    methods.layer(from_fn(move |request: Request, next: Next| guard::allow(action, request, next)))
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match admin.app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database can't be used\n")
        }
    }
}

async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, layout::message("Nothing here", "There is no such page."))
        .into_response()
}
