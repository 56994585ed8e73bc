//! What is served on `ADMIN_ADDR`: health for supervisors, metrics for Prometheus, and the dashboard.
//! A page is read by many and computed once; nothing is computed when nobody looks.

/// Who may see it.
pub mod access;
/// What can be changed here.
mod actions;
/// Who did what.
mod audit;
/// `/batches/{id}`.
mod batch;
/// `/batches`, and the batches of the front page.
mod batches;
/// What many look at is read once.
mod cached;
/// Bars and a plot.
mod charts;
/// The cookies.
mod cookies;
/// A batch's rows as a file.
mod export;
/// What such a file is called.
mod file_name;
/// `/`.
mod home;
/// What all pages have in common.
mod layout;
/// Pages that stay up to date.
mod live;
/// The token, asked for once a browser.
mod login;
/// `/metrics`.
mod metrics;
/// What came of the last action.
mod notice;
/// The user's own columns.
mod own;
/// How each provider stands.
mod providers;
/// A batch's rows.
mod rows;
/// What is stuck, and why.
mod stuck;
/// Numbers, times and states as people read them.
mod words;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use store::{BatchOverview, BatchRef, Overview, Why};
use tokio::sync::Mutex;

pub use access::Access;
use access::roles::Action;
pub use access::tokens::{Tokens, TokensFile};
use cached::{Away, Cached};
use own::Own;

use crate::app::App;

/// Batches on a page.
const MOST_BATCHES: usize = 25;
/// Forms are small.
const LARGEST_FORM: usize = 16 * 1024;
/// Pages of rows that are kept for a moment.
const MOST_PAGES: usize = 64;

/// What the pages need; cheap to clone.
#[derive(Clone)]
struct Admin {
    app: App,
    access: Access,
    seen: Arc<Cached<Seen>>,
    pages: Pages<PageKey, rows::Page>,
    older: Pages<usize, Vec<BatchOverview>>,
}

/// Pages that were read a moment ago.
type Pages<Key, Page> = Arc<Mutex<HashMap<Key, Arc<Cached<Page>>>>>;

/// Batch, the row it begins after, the state.
type PageKey = (String, i64, Option<String>);

/// How everything stood a moment ago.
struct Seen {
    overview: Overview,
    /// What holds batches up, by batch id.
    held: BTreeMap<String, Vec<Why>>,
}

/// Everything on `ADMIN_ADDR`. `/healthz` says that the process lives, `/readyz` that the database
/// answers, too; both are open to everybody.
pub fn router(app: App, access: Access) -> Router {
    let admin =
        Admin { app, access, seen: Arc::default(), pages: Arc::default(), older: Arc::default() };
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
        .route(login::PATH, get(login::form).post(login::submit))
        .route("/logout", post(login::logout))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn_with_state(admin.clone(), access::guard));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .layer(map_response(layout::headers))
        .with_state(admin)
}

/// What is at an address, for those whose role may do what it is for.
fn page(action: Action, methods: MethodRouter<Admin>) -> MethodRouter<Admin> {
    methods.layer(from_fn(move |request: Request, next: Next| access::allow(action, request, next)))
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

impl Seen {
    /// What holds a batch up, in words.
    fn why(&self, batch: &BatchOverview) -> impl Iterator<Item = &str> {
        let lines = self.held.get(&batch.batch_id).into_iter().flatten();
        lines.map(|why| why.text.as_str())
    }
}

impl Admin {
    /// How everything stands, at most a second old.
    async fn seen(&self) -> Result<Arc<Seen>, Away> {
        let store = &self.app.store;
        let read = async {
            let overview = store.overview(MOST_BATCHES).await?;
            let held = store.why_held_up().await?;
            Ok(Seen { overview, held })
        };
        self.seen.get(read).await
    }

    /// A page of batches, the first being 1; at most a second old, or older where it was dear to read.
    async fn batches(&self, number: usize) -> Result<Arc<Vec<BatchOverview>>, Away> {
        let read = async {
            let all = self.app.store.overview(number * MOST_BATCHES).await?.batches;
            Ok(all.into_iter().skip((number - 1) * MOST_BATCHES).collect())
        };
        kept(&self.older, number).await.get(read).await
    }

    /// A page of a batch's rows, at most a second old, or older where it was dear to read.
    async fn rows(
        &self,
        batch: &BatchRef,
        after: i64,
        state: Option<&str>,
    ) -> Result<Arc<rows::Page>, Away> {
        let key = (batch.batch_id.to_string(), after, state.map(str::to_owned));
        let store = &self.app.store;
        let read = async {
            let own = Own::of(store.columns(batch).await?.names);
            Ok(rows::Page { own, shown: store.row_page(batch, after, state, rows::ROWS).await? })
        };
        kept(&self.pages, key).await.get(read).await
    }

    /// After a change by hand the next page shows it.
    async fn changed(&self) {
        self.seen.forget().await;
        self.pages.lock().await.clear();
        self.older.lock().await.clear();
    }
}

/// The place of a page; if there are many, those of others are given up.
async fn kept<Key: Eq + Hash, Page>(pages: &Pages<Key, Page>, key: Key) -> Arc<Cached<Page>> {
    let mut pages = pages.lock().await;
    if pages.len() >= MOST_PAGES && !pages.contains_key(&key) {
        pages.clear();
    }
    Arc::clone(pages.entry(key).or_default())
}
