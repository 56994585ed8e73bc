//! The endpoints under `/sandbox`, for tests that steer a sandbox in another process. They need no key.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Config, ConfigError, Endpoint, Expected, PeopleFilter, PersonStats, Provider, ScriptedResponse,
    Stats, faults::REDIRECT_TARGET, sandbox_state::SandboxState,
};

type Shared = State<Arc<SandboxState>>;

pub(crate) fn router() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/sandbox/stats", get(stats))
        .route("/sandbox/people", get(people))
        .route("/sandbox/expected", get(expected))
        .route("/sandbox/config", get(config).post(merge_config))
        .route("/sandbox/topup", post(top_up))
        .route("/sandbox/script", post(script))
        .route("/sandbox/webhooks/hold", post(hold))
        .route("/sandbox/webhooks/release", post(release))
        .route(REDIRECT_TARGET, any(redirected))
}

impl IntoResponse for ConfigError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({"error": self.to_string()}))).into_response()
    }
}

async fn stats(State(state): Shared) -> Json<Stats> {
    Json(state.stats())
}

async fn people(
    State(state): Shared,
    Query(filter): Query<PeopleFilter>,
) -> Json<Vec<PersonStats>> {
    Json(state.audit().people(&filter))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    provider: Provider,
    id: String,
}

async fn expected(State(state): Shared, Query(who): Query<Who>) -> Json<Expected> {
    Json(Expected::of(&state.config(), who.provider, &who.id))
}

async fn config(State(state): Shared) -> Json<Config> {
    Json((*state.config()).clone())
}

async fn merge_config(
    State(state): Shared,
    Json(patch): Json<Value>,
) -> Result<Json<Config>, ConfigError> {
    let config = state.config().merged(&patch)?;
    state.set_config(config.clone());
    Ok(Json(config))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopUp {
    provider: Provider,
    credits: i64,
}

async fn top_up(State(state): Shared, Json(top_up): Json<TopUp>) -> Json<Stats> {
    state.top_up(top_up.provider, top_up.credits);
    Json(state.stats())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    endpoint: Endpoint,
    #[serde(default)]
    responses: Vec<ScriptedResponse>,
    /// Whether to forget earlier scripted answers.
    #[serde(default)]
    clear: bool,
}

async fn script(State(state): Shared, Json(script): Json<Script>) -> StatusCode {
    let mut scripts = state.scripts();
    if script.clear {
        scripts.clear(script.endpoint);
    }
    scripts.add(script.endpoint, script.responses);
    StatusCode::NO_CONTENT
}

async fn hold(State(state): Shared) -> StatusCode {
    state.queue.hold();
    StatusCode::NO_CONTENT
}

async fn release(State(state): Shared) -> StatusCode {
    state.queue.release();
    StatusCode::NO_CONTENT
}

/// The target of redirects. No client should come here.
async fn redirected(State(state): Shared) -> StatusCode {
    state.audit().redirects_followed += 1;
    StatusCode::NO_CONTENT
}
