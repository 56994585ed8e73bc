//! Bodies that are not as published. Forms that were seen elsewhere must not cost a result that is paid for.

use std::io::Write;

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::chance::Chance;

/// A way in which a body is odd and can be read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oddity {
    /// Compressed.
    Gzip,
    /// Wrapped once in `data`.
    InData,
    /// Wrapped once in a list.
    InList,
    /// A byte-order mark before the body.
    Mark,
    /// `NaN` in a field of no interest.
    NaN,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// An entry that is null.
    NullEntry,
    /// An entry that is a text, not an object.
    BrokenEntry,
    /// Ids of digits as JSON numbers.
    NumberIds,
    /// Several numbers of a person in one text.
    OneText,
}

const ALL: [Oddity; 10] = [
    Oddity::Gzip,
    Oddity::InData,
    Oddity::InList,
    Oddity::Mark,
    Oddity::NaN,
    Oddity::NotUtf8,
    Oddity::NullEntry,
    Oddity::BrokenEntry,
    Oddity::NumberIds,
    Oddity::OneText,
];

/// Writes a body in one of the odd ways.
pub(crate) fn written(chance: Chance, body: Value) -> Bytes {
    write(chance.pick(&ALL), body)
}

fn write(oddity: Oddity, mut body: Value) -> Bytes {
    match oddity {
        Oddity::InData => body = json!({"data": body}),
        Oddity::InList => body = json!([body]),
        Oddity::NullEntry => add(&mut body, Value::Null),
        Oddity::BrokenEntry => add(&mut body, json!("internal error")),
        Oddity::NumberIds => number_ids(&mut body),
        Oddity::OneText => join_numbers(&mut body),
        _ => {}
    }
    let text = body.to_string().into_bytes();
    match oddity {
        Oddity::Gzip => packed(&text),
        Oddity::Mark => [b"\xef\xbb\xbf", &*text].concat().into(),
        Oddity::NaN => with_field(&text, b"\"score\":NaN"),
        Oddity::NotUtf8 => with_field(&text, b"\"note\":\"Jos\xe9\""),
        _ => text.into(),
    }
}

/// Replaces all numbers by a text that is not a number: the person is said to be found, but can't be called.
pub(crate) fn without_numbers(body: &mut Value) {
    match body {
        Value::String(text) if text.starts_with('+') => *text = "ask at reception".to_owned(),
        Value::Array(list) => list.iter_mut().for_each(without_numbers),
        Value::Object(fields) => fields.values_mut().for_each(without_numbers),
        _ => {}
    }
}

fn add(body: &mut Value, entry: Value) {
    match people(body) {
        Some(people) => people.insert(0, entry),
        None => *body = json!([entry, body]),
    }
}

fn number_ids(body: &mut Value) {
    let as_number = |entry: &mut Value| {
        let id = entry["personId"].as_str().and_then(|id| id.parse::<u64>().ok());
        // A leading zero would be lost.
        if let Some(id) = id.filter(|id| entry["personId"] == id.to_string().as_str()) {
            entry["personId"] = id.into();
        }
    };
    match people(body) {
        Some(people) => people.iter_mut().for_each(as_number),
        None => as_number(body),
    }
}

fn join_numbers(body: &mut Value) {
    for entry in people(body).into_iter().flatten() {
        let numbers = match entry.get_mut("phone") {
            Some(phone) => phone.get_mut("numbers"),
            None => entry.get_mut("numbers"),
        };
        let Some(list) = numbers.and_then(Value::as_array_mut) else { continue };
        let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        *list = vec![texts.join(" / ").into()];
    }
}

/// Adds a field at the beginning of an object.
fn with_field(text: &[u8], field: &[u8]) -> Bytes {
    match text.strip_prefix(b"{") {
        Some(b"}") | None => Bytes::copy_from_slice(text),
        Some(rest) => [b"{", field, b",", rest].concat().into(),
    }
}

/// Compresses a text. Writing to memory doesn't fail; if it did, the text would stay as it is.
fn packed(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(text).and_then(|()| encoder.finish());
    packed.unwrap_or_else(|_| text.to_vec()).into()
}

/// Returns the list of people, which every shape for several people has.
pub(crate) fn people(body: &mut Value) -> Option<&mut Vec<Value>> {
    let name = ["phones", "results", "people"].into_iter().find(|name| body.get(name).is_some())?;
    body.get_mut(name)?.as_array_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies() -> [Value; 4] {
        [
            json!({"phones": [{"personId": "7", "status": "verified", "numbers": ["+4512345678", "+4587654321"]}]}),
            json!({"results": [{"personId": "p", "phone": {"status": "verified", "numbers": ["+451", "+452"]}}], "creditsUsed": 20}),
            json!({"trackingId": "t", "people": [{"personId": "9", "phoneNumbers": {"A": {"status": "found", "mobile": ["+4512345678"]}}}]}),
            json!({"personId": "012", "phoneNumbers": [{"raw_number": "+4512345678"}]}),
        ]
    }

    #[test]
    fn each_changes_some_body() {
        for oddity in ALL {
            let changed =
                |body: &Value| write(oddity, body.clone()) != body.to_string().into_bytes();
            assert!(bodies().iter().any(changed), "{oddity:?}");
        }
    }

    #[test]
    fn several_numbers_become_one_text() {
        let [phones, results, ..] = bodies();
        let text = |body| String::from_utf8_lossy(&write(Oddity::OneText, body)).into_owned();
        assert!(text(phones).contains(r#"["+4512345678 / +4587654321"]"#));
        assert!(text(results).contains(r#"["+451 / +452"]"#));
    }

    #[test]
    fn ids_keep_their_digits() {
        let [phones, .., standard] = bodies();
        let text = |body| String::from_utf8_lossy(&write(Oddity::NumberIds, body)).into_owned();
        assert!(text(phones).contains(r#""personId":7"#));
        assert!(text(standard).contains(r#""personId":"012""#));
    }

    #[test]
    fn no_number_is_left() {
        for mut body in bodies() {
            without_numbers(&mut body);
            let text = body.to_string();
            assert!(!text.contains("+45") && text.contains("reception"), "{text}");
        }
    }
}
