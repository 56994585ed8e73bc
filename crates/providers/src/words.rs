use std::fmt;

use hyper::body::Bytes;
use jobs::words::{Known, masked};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

/// The most bytes that are looked at of a body that is no JSON, so that a page of megabytes costs nothing.
const LOOKED_AT: usize = 16 * 1024;

/// `HTTP 403: Current API token is not registered in our database`: the status and what the body says about it, on one
/// line, without texts that were sent, addresses or anything like a phone number.
pub(crate) fn quote(status: u16, body: Option<&[u8]>, known: &Known) -> String {
    let said = body.and_then(sentence).map(|text| masked(&text, known));
    match said.filter(|text| !text.is_empty()) {
        Some(text) => format!("HTTP {status}: {text}"),
        None => format!("HTTP {status}"),
    }
}

/// Returns a body's message to people, in the shapes that web services use.
fn sentence(body: &[u8]) -> Option<String> {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body.get(..LOOKED_AT).unwrap_or(body)).into_owned();
        // A proxy's page says nothing that the status doesn't.
        return (!text.trim_start().starts_with('<')).then_some(text);
    };
    said_by(&json)
}

fn said_by(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Array(several) => several.iter().find_map(said_by),
        Value::Object(fields) => ["detail", "message", "msg", "error", "errors", "title", "status"]
            .iter()
            .find_map(|name| fields.get(*name).and_then(said_by)),
        _ => None,
    }
}

/// The key and the texts of a request. Prints nothing of them.
#[derive(Clone)]
pub(crate) struct Sent {
    key: SecretString,
    json: Bytes,
}

impl Sent {
    /// A request with this body.
    ///
    /// # Errors
    /// The body can't be written as JSON.
    pub(crate) fn order(key: SecretString, body: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Sent { key, json: serde_json::to_vec(body)?.into() })
    }

    /// A request without a body; `id` is the part of its path that may not be shown.
    pub(crate) fn look(key: SecretString, id: Option<&str>) -> Self {
        Sent { key, json: Value::from(id).to_string().into() }
    }

    /// The body as it is sent.
    pub(crate) fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// What may not be shown. Only few answers are shown, so it is read from the body for those.
    pub(crate) fn known(&self) -> Known {
        let mut known = Known::default().with_key(self.key.expose_secret());
        texts_of(&serde_json::from_slice(&self.json).unwrap_or_default(), &mut known);
        known
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({} bytes)", self.json.len())
    }
}

fn texts_of(json: &Value, known: &mut Known) {
    match json {
        Value::String(text) => known.add(text),
        Value::Array(several) => several.iter().for_each(|value| texts_of(value, known)),
        Value::Object(fields) => fields.values().for_each(|value| texts_of(value, known)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(body: &str) -> String {
        quote(400, Some(body.as_bytes()), &Known::default().with_key("k3y-0f-mine"))
    }

    #[test]
    fn finds_the_sentence() {
        assert_eq!(quoted(r#"{"detail": "no such thing"}"#), "HTTP 400: no such thing");
        assert_eq!(quoted(r#"{"detail": [{"loc": [], "msg": "bad"}]}"#), "HTTP 400: bad");
        assert_eq!(quoted(r#"{"error": {"message": "bad"}}"#), "HTTP 400: bad");
        assert_eq!(quoted("plain\r\n text"), "HTTP 400: plain text");
        assert_eq!(quoted("<html>Bad gateway</html>"), "HTTP 400");
        assert_eq!(quoted("{}"), "HTTP 400");
        assert_eq!(quote(404, Some(b""), &Known::default()), "HTTP 404");
        assert_eq!(quote(404, None, &Known::default()), "HTTP 404");
    }

    #[test]
    fn leaves_out_what_is_private() {
        let body = r#"{"message": "token k3y-0f-mine, call +45 12-34 (56) 78."}"#;
        assert_eq!(quoted(body), "HTTP 400: token [key], call +[number].");
    }

    #[test]
    fn whatever_is_sent_is_known() {
        let order = serde_json::json!({"personIds": ["p-4711", "p-4712"], "webhookUrl": "https://x.y/z", "n": true});
        let key = SecretString::from("k3y-0f-mine");
        let sent = Sent::order(key.clone(), &order).expect("JSON");
        let said = br#"{"detail": "P-4711, p-4712, p-4713 (k3y-0f)"}"#;
        assert_eq!(quote(422, Some(said), &sent.known()), "HTTP 422: [id], [id], p-4713 ([key])");
        let track = Sent::look(key.clone(), Some("p-4711"));
        assert_eq!(quote(404, Some(b"no p-4711"), &track.known()), "HTTP 404: no [id]");
        assert_eq!(format!("{track:?}"), "Sent(8 bytes)");
        let balance = Sent::look(key, None);
        assert_eq!(
            quote(404, Some(b"null and k3y-0f"), &balance.known()),
            "HTTP 404: null and [key]"
        );
    }
}
