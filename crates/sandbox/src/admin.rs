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
    Config, ConfigError, Endpoint, PeopleFilter, PersonStats, Provider, ScriptedResponse, Stats,
    Truth, faults::REDIRECT_TARGET, world::World,
};

type Shared = State<Arc<World>>;

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sandbox/stats", get(stats))
        .route("/sandbox/people", get(people))
        .route("/sandbox/truth", get(truth))
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

async fn stats(State(world): Shared) -> Json<Stats> {
    Json(world.stats())
}

async fn people(
    State(world): Shared,
    Query(filter): Query<PeopleFilter>,
) -> Json<Vec<PersonStats>> {
    Json(world.audit().people(&filter))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    provider: Provider,
    id: String,
}

async fn truth(State(world): Shared, Query(who): Query<Who>) -> Json<Truth> {
    Json(Truth::of(&world.config(), who.provider, &who.id))
}

async fn config(State(world): Shared) -> Json<Config> {
    Json((*world.config()).clone())
}

async fn merge_config(
    State(world): Shared,
    Json(patch): Json<Value>,
) -> Result<Json<Config>, ConfigError> {
    let config = world.config().merged(&patch)?;
    world.set_config(config.clone());
    Ok(Json(config))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopUp {
    provider: Provider,
    credits: i64,
}

async fn top_up(State(world): Shared, Json(top_up): Json<TopUp>) -> Json<Stats> {
    world.top_up(top_up.provider, top_up.credits);
    Json(world.stats())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    endpoint: Endpoint,
    #[serde(default)]
    responses: Vec<ScriptedResponse>,
    /// Forget what was scripted before.
    #[serde(default)]
    clear: bool,
}

async fn script(State(world): Shared, Json(script): Json<Script>) -> StatusCode {
    let mut scripts = world.scripts();
    if script.clear {
        scripts.clear(script.endpoint);
    }
    scripts.add(script.endpoint, script.responses);
    StatusCode::NO_CONTENT
}

async fn hold(State(world): Shared) -> StatusCode {
    world.queue.hold();
    StatusCode::NO_CONTENT
}

async fn release(State(world): Shared) -> StatusCode {
    world.queue.release();
    StatusCode::NO_CONTENT
}

/// Where redirects lead. Nobody should come here.
async fn redirected(State(world): Shared) -> StatusCode {
    world.audit().redirects_followed += 1;
    StatusCode::NO_CONTENT
}
