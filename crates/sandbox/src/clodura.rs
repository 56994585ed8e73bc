//! Clodura: reveal by `POST /api/v1/search/people/phone/match`, tracking and credits.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    Provider,
    chance::Chance,
    clock,
    clodura_request::{self, Ask, message},
    clodura_result,
    clodura_state::{Job, Order},
    config::{Config, Plan},
    expected::{Expected, Marker, SOURCES},
    queue::Work,
    reply::{Incoming, Reply, too_many},
    sandbox_state::SandboxState,
    webhook_faults::{self, Label},
};

/// `POST /api/v1/search/people/phone/match`
pub(crate) fn reveal(state: &SandboxState, incoming: &Incoming) -> Reply {
    let config = state.config();
    if let Err(refusal) = admit(state, &config, incoming) {
        return refusal;
    }
    let ask = match clodura_request::read(&config.clodura, &incoming.body) {
        Ok(ask) => ask,
        Err(refusal) => return refusal,
    };
    let expected = Expected::of(&config, Provider::Clodura, &ask.person_id);
    if is_refused_at_once(&config, &expected, ask.via_partners) {
        return message(404, "No result found");
    }
    let (plan, cheapest) = (config.clodura.plan, SOURCES[0].1 as i64);
    if !state.clodura().account.admit(plan, cheapest) {
        return message(402, "Credits exhausted. Upgrade your plan or add credits.");
    }
    accept(state, &config, ask, expected.marker)
}

/// `GET /api/v1/search/people/track/{trackingId}`
pub(crate) fn track(state: &SandboxState, incoming: &Incoming) -> Reply {
    let config = state.config();
    if let Err(refusal) = admit(state, &config, incoming) {
        return refusal;
    }
    let tracking_id = incoming.uri.path().rsplit('/').next().unwrap_or_default();
    let job = {
        let clodura = state.clodura();
        clodura.index(tracking_id).map(|index| clodura.jobs[index].clone())
    };
    let no_result = || message(404, "No result found");
    let Some(job) = job else { return no_result() };
    let age = clock::now().saturating_duration_since(job.accepted_at).as_millis();
    let clodura = &config.clodura;
    let forgotten = clodura.track_forgets_ms > 0 && age >= u128::from(clodura.track_forgets_ms);
    if age < u128::from(clodura.track_unknown_ms) || forgotten {
        return no_result();
    }
    match &job.findings {
        None => Reply::json(200, &json!({"trackingId": tracking_id, "status": "in progress"})),
        Some(findings) if clodura.track_not_found_404 && findings.is_nothing() => no_result(),
        Some(findings) => {
            Reply::json(200, &clodura_result::body(&config, &job, findings, tracking_id))
        }
    }
}

/// `GET /api/v1/credits`
pub(crate) fn balance(state: &SandboxState, incoming: &Incoming) -> Reply {
    let config = state.config();
    if let Err(refusal) = admit(state, &config, incoming) {
        return refusal;
    }
    let clodura = state.clodura();
    let account = &clodura.account;
    let maximum = |value: i64| -> Value {
        if config.clodura.numbers_as_text { value.to_string().into() } else { value.into() }
    };
    Reply::json(
        200,
        &match config.clodura.plan {
            Plan::Payg => json!({"remainingCredits": account.remaining.max(0)}),
            Plan::Prospect => json!({
                "contactsView": account.contacts_view,
                "maxContacts": maximum(account.max_contacts),
                "directDials": account.direct_dials,
                "maxDirectDials": maximum(account.max_direct_dials),
            }),
        },
    )
}

fn admit(state: &SandboxState, config: &Config, incoming: &Incoming) -> Result<(), Reply> {
    let clodura = &config.clodura;
    let key = incoming.header("x-api-key");
    let known = key.is_some_and(|key| {
        clodura.keys.is_empty() || clodura.keys.iter().any(|known| known == key)
    });
    if !known || clodura.faults.wrong_key {
        return Err(message(401, "Unauthorized: the API key is missing or invalid"));
    }
    if clodura.plan_forbids {
        return Err(message(403, "This endpoint requires a paid Clodura plan"));
    }
    let taken = state.clodura().limiter.take(&clodura.limits, clock::now());
    taken.map_err(|many| {
        too_many(&clodura.limits, many.wait, &many.limit, message(429, "Rate limit exceeded"))
    })
}

fn is_refused_at_once(config: &Config, expected: &Expected, via_partners: bool) -> bool {
    let rate = config.clodura.not_found_404_rate;
    let chosen = || Chance::new(config.seed, "clodura 404").of(&expected.person_id).hits(rate);
    expected.marker == Some(Marker::Gone) || (!expected.is_found(via_partners) && chosen())
}

fn accept(state: &SandboxState, config: &Config, ask: Ask, marker: Option<Marker>) -> Reply {
    let plan = config.clodura.plan;
    state.audit().accepted(Provider::Clodura, std::slice::from_ref(&ask.person_id));
    let job = Job {
        person_id: ask.person_id.into(),
        plan,
        via_partners: ask.via_partners,
        accepted_at: clock::now(),
        findings: None,
    };
    let (index, tracking_id) = {
        let mut clodura = state.clodura();
        clodura.jobs.push(job);
        let index = clodura.jobs.len() - 1;
        (index, clodura.tracking_id(index))
    };
    let mut early = None;
    if marker != Some(Marker::Stuck) {
        early = schedule(state, config, index, ask.url.map(Arc::from));
    }
    let body = json!({"trackingId": tracking_id, "status": "Callback will be triggered once processing is complete."});
    Reply { early, ..Reply::json(200, &body) }
}

fn schedule(
    state: &SandboxState,
    config: &Config,
    index: usize,
    url: Option<Arc<str>>,
) -> Option<oneshot::Receiver<()>> {
    let n = index as u64;
    let mut order = Order { index, url, early: None };
    if order.url.is_some() && webhook_faults::comes_early(config, Provider::Clodura, n) {
        let (done, wait) = oneshot::channel();
        order.early = Some(done);
        state.queue.push(Duration::ZERO, Work::Clodura(order));
        return Some(wait);
    }
    let delay =
        Chance::new(config.seed, "clodura delay").nth(n).between(config.clodura.result_delay_ms);
    state.queue.push(Duration::from_millis(delay), Work::Clodura(order));
    None
}

/// Makes the result: asks the sources as far as the credits go, charges, and sends the webhook.
pub(crate) fn finish(state: &SandboxState, order: Order) {
    let config = state.config();
    let Some(job) = state.clodura().jobs.get(order.index).cloned() else { return };
    let expected = Expected::of(&config, Provider::Clodura, &job.person_id);
    let free = !config.clodura.charge_repeats
        && state.audit().was_charged(Provider::Clodura, &job.person_id);
    let (findings, credits, tracking_id) = {
        let mut clodura = state.clodura();
        clodura.account.release(job.plan);
        let budget = if free { i64::MAX } else { clodura.account.remaining };
        let findings = clodura_result::search(&config, &job, &expected, budget);
        let price = findings.price().filter(|_| !free);
        let credits = price.map_or(0, |price| clodura.account.charge(job.plan, price as i64));
        clodura.jobs[order.index].findings = Some(findings);
        (findings, credits as u64, clodura.tracking_id(order.index))
    };
    state.audit().finished(Provider::Clodura, &job.person_id, findings.is_found(), credits);
    let Some(url) = order.url else { return };
    let body = clodura_result::body(&config, &job, &findings, &tracking_id);
    let label =
        Label { provider: Provider::Clodura, n: order.index as u64, url, early: order.early };
    webhook_faults::send(state, &config, label, body);
}
