//! One request to a provider, from arrival to answer: script, faults before, the provider itself, faults after.

use std::{sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    Endpoint, clock, clodura, faults,
    in_flight::InFlight,
    ocean, ocean_lookup,
    reply::{Incoming, Outcome, Reply},
    sandbox_state::SandboxState,
    wire::Link,
};

/// How long an answer waits for the webhook that has to come before it.
const EARLY_WAIT: Duration = Duration::from_secs(5);

/// Answers one request to a provider.
pub(crate) async fn answer(
    state: Arc<SandboxState>,
    endpoint: Endpoint,
    incoming: Incoming,
    link: Link,
) -> Response {
    let _in_flight = InFlight::begin(&state, endpoint);
    let outcome = settle(&state, endpoint, &incoming);
    state.audit().answered(endpoint, outcome.reply.as_ref(), clock::now());
    clock::pause(outcome.delay).await;
    let Some(mut reply) = outcome.reply else {
        link.cut();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Some(early) = reply.early.take() {
        // Late or lost webhooks end the wait too: then the answer simply comes first.
        let _ = tokio::time::timeout(EARLY_WAIT, early).await;
    }
    reply.into_response()
}

/// Makes all changes of an exchange without waiting for anything, so that a client that gives up can't leave half of them.
fn settle(state: &Arc<SandboxState>, endpoint: Endpoint, incoming: &Incoming) -> Outcome {
    if let Some(scripted) = state.scripts().next(endpoint) {
        if scripted.accept {
            process(state, endpoint, incoming);
        }
        return scripted.into_outcome();
    }
    let fault = faults::decide(state, endpoint);
    if let Some(outcome) = fault.instead() {
        return outcome;
    }
    fault.afterwards(process(state, endpoint, incoming))
}

fn process(state: &Arc<SandboxState>, endpoint: Endpoint, incoming: &Incoming) -> Reply {
    match endpoint {
        Endpoint::OceanReveal => ocean::reveal(state, incoming),
        Endpoint::OceanLookup => ocean_lookup::look_up(state, incoming),
        Endpoint::OceanBalance => ocean::balance(state, incoming),
        Endpoint::CloduraReveal => clodura::reveal(state, incoming),
        Endpoint::CloduraTrack => clodura::track(state, incoming),
        Endpoint::CloduraBalance => clodura::balance(state, incoming),
    }
}
