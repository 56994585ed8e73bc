//! Scripted answers: an endpoint's next requests are answered with a given list, whatever the requests are.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Endpoint,
    reply::{Outcome, Reply},
};

/// One scripted answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedResponse {
    /// The status.
    pub status: u16,
    /// Headers; a `content-type` is added where there is none.
    pub headers: BTreeMap<String, String>,
    /// Text is sent as it is, null as an empty body, anything else as JSON.
    pub body: Value,
    /// How long the answer takes.
    pub delay_ms: u64,
    /// Whether the request is processed all the same (checked, accepted, charged) and only its answer replaced.
    pub accept: bool,
    /// Breaks the connection instead of answering.
    pub drop: bool,
    /// How many requests get this answer.
    pub times: u32,
}

impl Default for ScriptedResponse {
    fn default() -> Self {
        Self {
            status: 200,
            headers: BTreeMap::new(),
            body: Value::Null,
            delay_ms: 0,
            accept: false,
            drop: false,
            times: 1,
        }
    }
}

impl ScriptedResponse {
    /// An answer with a status and a body.
    pub fn new(status: u16, body: impl Into<Value>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        let delay = Duration::from_millis(self.delay_ms);
        if self.drop {
            return Outcome { reply: None, delay };
        }
        let (body, kind) = match &self.body {
            Value::Null => (String::new(), None),
            Value::String(text) => (text.clone(), Some("text/plain")),
            json => (json.to_string(), Some("application/json")),
        };
        let typed = self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        let mut reply = Reply {
            status: self.status,
            headers: self.headers.into_iter().collect(),
            body: body.into(),
            early: None,
        };
        if let Some(kind) = kind.filter(|_| !typed) {
            reply = reply.header("content-type", kind);
        }
        Outcome { reply: Some(reply), delay }
    }
}

/// The scripted answers that are still to be given.
#[derive(Debug, Default)]
pub(crate) struct Scripts(BTreeMap<Endpoint, VecDeque<ScriptedResponse>>);

impl Scripts {
    /// Adds to the end of an endpoint's script.
    pub(crate) fn add(&mut self, endpoint: Endpoint, responses: Vec<ScriptedResponse>) {
        self.0.entry(endpoint).or_default().extend(responses);
    }

    /// Forgets an endpoint's script.
    pub(crate) fn clear(&mut self, endpoint: Endpoint) {
        self.0.remove(&endpoint);
    }

    pub(crate) fn next(&mut self, endpoint: Endpoint) -> Option<ScriptedResponse> {
        let queue = self.0.get_mut(&endpoint)?;
        while let Some(first) = queue.front_mut() {
            if first.times > 1 {
                first.times -= 1;
                return Some(first.clone());
            }
            let last = queue.pop_front()?;
            if last.times == 1 {
                return Some(last);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn played_in_order_and_as_often_as_said() {
        let mut scripts = Scripts::default();
        let twice = ScriptedResponse { times: 2, ..ScriptedResponse::new(500, "a") };
        let never = ScriptedResponse { times: 0, ..ScriptedResponse::new(501, "b") };
        scripts.add(Endpoint::OceanReveal, vec![twice, never, ScriptedResponse::new(402, "c")]);
        let mut statuses = std::iter::from_fn(|| scripts.next(Endpoint::OceanReveal))
            .map(|response| response.status);
        assert_eq!(statuses.by_ref().collect::<Vec<_>>(), [500, 500, 402]);
        assert!(scripts.next(Endpoint::OceanBalance).is_none());
    }
}
