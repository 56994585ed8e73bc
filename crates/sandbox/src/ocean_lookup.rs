//! `POST /v2/lookup/people`: which of Ocean's people have these LinkedIn handles. The answer comes at once.

use serde_json::{Value, json};

use crate::{
    Provider,
    config::Config,
    expected::{Expected, Marker, matched},
    ocean::{INSUFFICIENT, admit, detail},
    ocean_request::Problems,
    reply::{Incoming, Reply},
    sandbox_state::SandboxState,
};

/// Most handles in one request.
const MOST: usize = 1_000;

/// The price of a match, in thousandths of a credit.
const PRICE: i64 = 50;

pub(crate) fn look_up(state: &SandboxState, incoming: &Incoming) -> Reply {
    let config = state.config();
    if let Err(refusal) = admit(state, &config, incoming) {
        return refusal;
    }
    let handles = match handles(&config, &incoming.body) {
        Ok(handles) => handles,
        Err(refusal) => return refusal,
    };
    if handles.iter().any(|handle| Marker::of(handle) == Some(Marker::Gone)) {
        return Reply::empty(404);
    }
    let found: Vec<(&String, String)> =
        handles.iter().filter_map(|handle| Some((handle, matched(&config, handle)?))).collect();
    let charged = found.len() as i64 * PRICE;
    {
        let mut ocean = state.ocean();
        if ocean.account.left().saturating_mul(1_000) < charged {
            return detail(402, INSUFFICIENT);
        }
        ocean.account.looked_up += charged;
    }
    state.audit().looked_up(Provider::Ocean, &handles, charged as u64);
    let people: Vec<Value> = found.iter().map(|(handle, id)| person(&config, handle, id)).collect();
    Reply::json(200, &json!({"people": people}))
}

fn person(config: &Config, handle: &str, id: &str) -> Value {
    let expected = Expected::of(config, Provider::Ocean, id);
    json!({
        "id": id,
        "firstName": expected.first_name,
        "lastName": expected.last_name,
        "linkedinHandle": handle,
        "company": {"name": "Nowhere Ltd", "linkedinHandle": "nowhere-ltd"},
    })
}

fn handles(config: &Config, body: &[u8]) -> Result<Vec<String>, Reply> {
    let mut problems = Problems::new(config.ocean.locate);
    let place = || json!(["body", "linkedinHandles"]);
    let list = serde_json::from_slice::<Value>(body).ok();
    let list = list.as_ref().and_then(|body| body.get("linkedinHandles")?.as_array());
    let mut handles = Vec::new();
    match list {
        None => problems.add(place(), "Field required", "missing"),
        Some(list) if list.is_empty() || list.len() > MOST => {
            let text =
                format!("List should have 1 to {MOST} items after validation, not {}", list.len());
            problems.add(place(), &text, "too_long");
        }
        Some(list) => {
            for (index, handle) in list.iter().enumerate() {
                match handle.as_str().filter(|handle| !handle.is_empty()) {
                    Some(handle) if Marker::of(handle) != Some(Marker::Bad) => {
                        handles.push(handle.to_owned());
                    }
                    _ => problems.add(
                        json!(["body", "linkedinHandles", index]),
                        "Value error, not a valid handle",
                        "value_error",
                    ),
                }
            }
        }
    }
    if problems.list.is_empty() { Ok(handles) } else { Err(problems.into_reply()) }
}
