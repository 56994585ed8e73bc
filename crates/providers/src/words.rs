use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Enough for a sentence; the whole body is nobody's reading.
const LONGEST: usize = 300;

/// What is looked at of a body, so that a page of megabytes costs nothing.
const LOOKED_AT: usize = 16 * 1024;

/// Digits in a row, punctuation aside, from which on they might be a phone number.
const PHONE_DIGITS: usize = 7;

/// `HTTP 403: Current API token is not registered in our database`: the status and what the body
/// says about it, on one line, without the key, addresses or anything like a phone number.
pub(crate) fn quote(status: u16, body: Option<&[u8]>, key: &SecretString) -> String {
    let said = body.and_then(sentence).map(|text| plain(&text, key));
    match said.filter(|text| !text.is_empty()) {
        Some(text) => format!("HTTP {status}: {text}"),
        None => format!("HTTP {status}"),
    }
}

/// Any text from outside, made fit for a log line.
pub(crate) fn plain(text: &str, key: &SecretString) -> String {
    let key = key.expose_secret().trim();
    let text = if key.is_empty() { text.to_owned() } else { text.replace(key, "[key]") };
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line: Vec<_> = words.filter(|word| !word.is_empty()).map(without_address).collect();
    shorten(&without_numbers(&line.join(" ")))
}

/// A provider's word, made fit to be shown as a reason: on one line, without addresses or numbers.
pub(crate) fn fit(text: &str) -> String {
    plain(text, &SecretString::from(String::new()))
}

/// What a body says to people, in the shapes in which web services say it.
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

/// An address may be ours, with its signature, or a person's profile.
fn without_address(word: &str) -> &str {
    if word.contains("://") || word.contains("/webhooks/") { "[address]" } else { word }
}

/// Replaces every run of digits that is as long as a phone number, spaces and punctuation
/// between them included.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_numeric()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !is_of_number(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(before);
        if run.chars().filter(|c| c.is_numeric()).count() >= PHONE_DIGITS {
            let run_end = run.trim_end_matches(|c: char| !c.is_numeric()).len();
            out.push_str("[number]");
            out.push_str(&run[run_end..]);
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_of_number(c: char) -> bool {
    // Beyond ASCII: hyphens, dashes and slashes as word processors write them.
    c.is_numeric() || " +-.()/_,\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}".contains(c)
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> SecretString {
        SecretString::from("k3y-0f-mine")
    }

    fn quoted(body: &str) -> String {
        quote(400, Some(body.as_bytes()), &key())
    }

    #[test]
    fn finds_the_sentence() {
        assert_eq!(quoted(r#"{"detail": "no such thing"}"#), "HTTP 400: no such thing");
        assert_eq!(quoted(r#"{"detail": [{"loc": [], "msg": "bad"}]}"#), "HTTP 400: bad");
        assert_eq!(quoted(r#"{"error": {"message": "bad"}}"#), "HTTP 400: bad");
        assert_eq!(quoted("plain\r\n text"), "HTTP 400: plain text");
        assert_eq!(quoted("<html>Bad gateway</html>"), "HTTP 400");
        assert_eq!(quoted("{}"), "HTTP 400");
        assert_eq!(quote(404, Some(b""), &key()), "HTTP 404");
        assert_eq!(quote(404, None, &key()), "HTTP 404");
    }

    #[test]
    fn leaves_out_what_is_private() {
        let body = r#"{"message": "token k3y-0f-mine, call +45 12-34 (56) 78."}"#;
        assert_eq!(quoted(body), "HTTP 400: token [key], call +[number].");
        let body = r#"{"message": "webhookUrl https://me.example/webhooks/ocean/1/abc is bad"}"#;
        assert_eq!(quoted(body), "HTTP 400: webhookUrl [address] is bad");
        assert_eq!(quoted("at most 500 of 1000"), "HTTP 400: at most 500 of 1000");
    }

    proptest! {
        #[test]
        fn one_short_line_without_numbers(body in ".{0,600}", digits in "[0-9]{7,15}") {
            let text = plain(&format!("{digits} {body}\n{digits}"), &key());
            prop_assert!(text.chars().count() <= LONGEST);
            prop_assert!(!text.contains('\n') && !text.contains(&digits));
        }
    }
}
