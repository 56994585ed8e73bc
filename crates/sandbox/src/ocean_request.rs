//! What Ocean accepts as a request for phone numbers.

use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    config::{Locate, OceanConfig},
    expected::Marker,
    reply::Reply,
};

/// A valid request.
pub(crate) struct Ask {
    pub(crate) people: Vec<String>,
    pub(crate) url: String,
}

/// Reads a body or answers with 422, naming everything that is wrong with it.
pub(crate) fn read(config: &OceanConfig, body: &[u8]) -> Result<Ask, Reply> {
    let mut problems = Problems::new(config.locate);
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        problems.add(json!(["body", 0]), "JSON decode error", "json_invalid");
        return Err(problems.into_reply());
    };
    let people = people(&body, config.max_people, &mut problems);
    let url = url(&body, &mut problems);
    if problems.list.is_empty() { Ok(Ask { people, url }) } else { Err(problems.into_reply()) }
}

pub(crate) struct Problems {
    locate: Locate,
    pub(crate) list: Vec<Value>,
}

impl Problems {
    pub(crate) fn new(locate: Locate) -> Self {
        Problems { locate, list: Vec::new() }
    }

    /// Adds a problem at a place like `["body", "personIds", 3]`.
    pub(crate) fn add(&mut self, place: Value, msg: &str, kind: &str) {
        let mut problem = json!({"msg": msg, "type": kind});
        match (self.locate, place) {
            (Locate::Absent, _) => {}
            (Locate::Field, Value::Array(mut place)) => {
                place.truncate(2);
                problem["loc"] = place.into();
            }
            (_, place) => problem["loc"] = place,
        }
        self.list.push(problem);
    }

    pub(crate) fn into_reply(self) -> Reply {
        Reply::json(422, &json!({"detail": self.list}))
    }
}

fn people(body: &Value, most: usize, problems: &mut Problems) -> Vec<String> {
    let place = || json!(["body", "personIds"]);
    match body.get("personIds") {
        None => problems.add(place(), "Field required", "missing"),
        Some(Value::Array(ids)) if ids.is_empty() => {
            problems.add(
                place(),
                "List should have at least 1 item after validation, not 0",
                "too_short",
            );
        }
        Some(Value::Array(ids)) if ids.len() > most => {
            let text = format!(
                "List should have at most {most} items after validation, not {}",
                ids.len()
            );
            problems.add(place(), &text, "too_long");
        }
        Some(Value::Array(ids)) => {
            return ids
                .iter()
                .enumerate()
                .filter_map(|(index, id)| person(index, id, problems))
                .collect();
        }
        Some(_) => problems.add(place(), "Input should be a valid list", "list_type"),
    }
    Vec::new()
}

fn person(index: usize, id: &Value, problems: &mut Problems) -> Option<String> {
    let (text, kind) = match id.as_str() {
        None => ("Input should be a valid string", "string_type"),
        Some("") => ("String should have at least 1 character", "string_too_short"),
        Some(id) if Marker::of(id) == Some(Marker::Bad) => {
            ("Value error, not a valid person id", "value_error")
        }
        Some(id) => return Some(id.to_owned()),
    };
    problems.add(json!(["body", "personIds", index]), text, kind);
    None
}

fn url(body: &Value, problems: &mut Problems) -> String {
    let place = || json!(["body", "webhookUrl"]);
    match body.get("webhookUrl") {
        None | Some(Value::Null) => problems.add(place(), "Field required", "missing"),
        Some(Value::String(url)) if is_web_address(url) => return url.clone(),
        Some(_) => problems.add(place(), "Input should be a valid URL", "url_parsing"),
    }
    String::new()
}

/// Whether a webhook can be sent to this address.
pub(crate) fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
