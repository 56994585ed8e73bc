//! Ocean.io: `POST /v2/reveal/phones` and `GET /v2/credits/balance`; what all its endpoints have in common.

use std::{sync::Arc, time::Duration};

use axum::extract::Query;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    Provider,
    account::Refusal,
    chance::Chance,
    clock,
    config::{Config, OceanBody, OceanPlan, PendingText},
    expected::{Expected, Marker},
    limits::whole_seconds,
    ocean_request::{self, Ask},
    ocean_state::Order,
    queue::Work,
    reply::{Incoming, Reply, too_many},
    sandbox_state::SandboxState,
    webhook_faults::{self, Label},
};

const CONFLICTING_TOKENS: &str = "Conflicting API tokens provided in query parameters and headers";
const NO_TOKEN: &str = "API token should be provided in headers or query parameters";
const UNKNOWN_TOKEN: &str = "Current API token is not registered in our database";
pub(crate) const INSUFFICIENT: &str = "Insufficient phone credits";
const MIGHT_BE_INSUFFICIENT: &str =
    "Credits might be insufficient because of pending phone verifications. Please try again later.";
const MIGHT_USE_ALL: &str = "Some phone verifications are already in progress and might use all your remaining phone \
                             credits. Please try again later.";

/// `POST /v2/reveal/phones`
pub(crate) fn reveal(state: &SandboxState, incoming: &Incoming) -> Reply {
    let config = state.config();
    if let Err(refusal) = admit(state, &config, incoming) {
        return refusal;
    }
    let ask = match ocean_request::read(&config.ocean, &incoming.body) {
        Ok(ask) => ask,
        Err(refusal) => return refusal,
    };
    if ask.people.iter().any(|id| Marker::of(id) == Some(Marker::Gone)) {
        return Reply::empty(404);
    }
    let reserved =
        state.ocean().account.reserve(ask.people.len() as i64 * config.ocean.plan.price());
    match reserved {
        Err(Refusal::Insufficient) => detail(402, INSUFFICIENT),
        Err(Refusal::Pending) => match config.ocean.pending_text {
            PendingText::MightBeInsufficient => detail(402, MIGHT_BE_INSUFFICIENT),
            PendingText::MightUseAll => detail(402, MIGHT_USE_ALL),
        },
        Ok(()) => accept(state, &config, ask),
    }
}

/// `GET /v2/credits/balance`
pub(crate) fn balance(state: &SandboxState, incoming: &Incoming) -> Reply {
    let config = state.config();
    if let Err(refusal) = admit(state, &config, incoming) {
        return refusal;
    }
    let mut ocean = state.ocean();
    let (one_time, recurrent) = ocean.account.shown();
    let left = json!({"oneTime": decimal(one_time), "recurrent": decimal(recurrent)});
    let none = json!({"oneTime": 0, "recurrent": 0});
    let (credits, phone_credits) = match config.ocean.plan {
        OceanPlan::Legacy => (none.clone(), left),
        OceanPlan::Unified => (left, none.clone()),
    };
    let mut body = json!({"credits": credits, "emailCredits": none, "phoneCredits": phone_credits});
    let limits = &config.ocean.limits;
    if limits.quota > 0 {
        let (left, reset) = ocean.limiter.left(limits, clock::now());
        body["dailyLimitRateLeft"] = left.into();
        body["dailyLimitRateSecondsToReset"] = whole_seconds(reset).into();
    }
    Reply::json(200, &body)
}

/// Writes a whole number without a fraction.
fn decimal(number: f64) -> Value {
    if number.fract() == 0.0 { json!(number as i64) } else { json!(number) }
}

pub(crate) fn admit(
    state: &SandboxState,
    config: &Config,
    incoming: &Incoming,
) -> Result<(), Reply> {
    check_token(config, incoming)?;
    let limits = &config.ocean.limits;
    let taken = state.ocean().limiter.take(limits, clock::now());
    taken.map_err(|many| too_many(limits, many.wait, &many.limit, detail(429, "Too many requests")))
}

fn check_token(config: &Config, incoming: &Incoming) -> Result<(), Reply> {
    let query: Vec<(String, String)> =
        Query::try_from_uri(&incoming.uri).map(|Query(list)| list).unwrap_or_default();
    let given = query.iter().find(|(name, value)| name == "apiToken" && !value.is_empty());
    let in_query = given.map(|(_, value)| value.as_str());
    let token = match (incoming.header("x-api-token"), in_query) {
        (Some(header), Some(query)) if header != query => {
            return Err(detail(400, CONFLICTING_TOKENS));
        }
        (header, query) => header.or(query).ok_or_else(|| detail(403, NO_TOKEN))?,
    };
    let keys = &config.ocean.keys;
    let known = keys.is_empty() || keys.iter().any(|key| key == token);
    if known && !config.ocean.faults.wrong_key { Ok(()) } else { Err(detail(403, UNKNOWN_TOKEN)) }
}

pub(crate) fn detail(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"detail": text}))
}

fn accept(state: &SandboxState, config: &Config, ask: Ask) -> Reply {
    let n = {
        let mut ocean = state.ocean();
        ocean.accepted += 1;
        ocean.accepted
    };
    state.audit().accepted(Provider::Ocean, &ask.people);
    let delay =
        Chance::new(config.seed, "ocean delay").nth(n).between(config.ocean.result_delay_ms);
    let mut order =
        Order { n, people: ask.people, url: ask.url.into(), is_followup: false, early: None };
    let mut early = None;
    if webhook_faults::comes_early(config, Provider::Ocean, n) {
        let (done, wait) = oneshot::channel();
        (order.early, early) = (Some(done), Some(wait));
    }
    let at_once = early.is_some() || delay == 0;
    let after = Duration::from_millis(if at_once { 0 } else { delay });
    state.queue.push(after, Work::Ocean(order));
    let status = if at_once { "webhook sent" } else { "in progress" };
    Reply { early, ..Reply::json(200, &json!({"status": status})) }
}

/// Makes the result: charges for it and sends the webhook.
pub(crate) fn finish(state: &SandboxState, order: Order) {
    let config = state.config();
    let mut entries = Vec::with_capacity(order.people.len());
    let (mut finished, mut waiting) = (Vec::new(), Vec::new());
    for id in order.people {
        let expected = Expected::of(&config, Provider::Ocean, &id);
        if is_in_progress(&config, &expected, order.is_followup) {
            entries.push(entry(&config, &id, json!({"status": "inProgress"})));
            waiting.push(id);
        } else {
            entries.push(entry(&config, &expected.person_id, verdict(&expected)));
            finished.push(expected);
        }
    }
    let followup = config.ocean.webhooks.in_progress_followup_ms;
    let stays = followup > 0 && !order.is_followup && !waiting.is_empty();
    let ended = finished.len() + if stays { 0 } else { waiting.len() };
    let charged = charge(state, &config, &finished, ended as i64);
    let label = Label {
        provider: Provider::Ocean,
        n: order.n,
        url: Arc::clone(&order.url),
        early: order.early,
    };
    let mut body = match config.ocean.body {
        OceanBody::Phones => json!({"phones": entries}),
        OceanBody::Results => json!({"results": entries}),
    };
    if config.ocean.reports_credits_used {
        body["creditsUsed"] = charged.into();
    }
    webhook_faults::send(state, &config, label, body);
    if stays {
        let rest =
            Order { n: order.n, people: waiting, url: order.url, is_followup: true, early: None };
        state.queue.push(Duration::from_millis(followup), Work::Ocean(rest));
    }
}

fn is_in_progress(config: &Config, expected: &Expected, is_followup: bool) -> bool {
    let chosen = || {
        let rate = config.ocean.webhooks.in_progress_rate;
        Chance::new(config.seed, "ocean in progress").of(&expected.person_id).hits(rate)
    };
    expected.marker == Some(Marker::Stuck) || (!is_followup && chosen())
}

/// One person's entry, in the shape of the body.
fn entry(config: &Config, id: &str, mut said: Value) -> Value {
    match config.ocean.body {
        OceanBody::Phones => {
            said["personId"] = id.into();
            said
        }
        OceanBody::Results => json!({"personId": id, "phone": said}),
    }
}

fn verdict(expected: &Expected) -> Value {
    if expected.numbers.is_empty() {
        return json!({"status": "notFound", "numbers": null});
    }
    json!({"status": "verified", "numbers": expected.e164()})
}

/// Charges for the numbers of the `finished` people, and ends the reservations of `ended` people. Returns the credits
/// charged.
fn charge(state: &SandboxState, config: &Config, finished: &[Expected], ended: i64) -> u64 {
    let price = config.ocean.plan.price();
    let mut charged = 0;
    {
        let mut audit = state.audit();
        for expected in finished {
            let id = &expected.person_id;
            let free = !config.ocean.charge_repeats && audit.was_charged(Provider::Ocean, id);
            let credits = if free { 0 } else { expected.numbers.len() as u64 * price as u64 };
            audit.finished(Provider::Ocean, id, !expected.numbers.is_empty(), credits);
            charged += credits;
        }
    }
    state.ocean().account.settle(ended * price, charged as i64);
    charged
}
