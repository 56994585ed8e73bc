//! A body without one person's entries.

use jobs::json;
use serde::de::IgnoredAny;
use serde_json::Value;

/// What is left of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// All of it: the person isn't named.
    Same,
    /// The other entries.
    Cut(Vec<u8>),
    /// Nothing: it is about the person alone.
    Nothing,
    /// The body can't be read, so its people can't be separated.
    Unreadable,
}

/// Removes the entries about the person that `gone` knows by an id or an address. An object that has the id or address
/// in a field, or as its key, is removed as a whole.
pub(super) fn without(body: &[u8], gone: impl Fn(&str) -> bool) -> Rest {
    if !json::fits_in_memory(body) {
        return Rest::Unreadable;
    }
    let mut json = match json::read(body) {
        Ok(json @ (Value::Array(_) | Value::Object(_))) => json,
        _ => return Rest::Unreadable,
    };
    // If the body is not valid JSON, only the part that could be read is kept: the rest may name the person.
    let mut cut = serde_json::from_slice::<IgnoredAny>(body).is_err();
    if strip(&mut json, &gone, &mut cut) {
        return Rest::Nothing;
    }
    match (cut, serde_json::to_vec(&json)) {
        (false, _) => Rest::Same,
        (true, Ok(rest)) => Rest::Cut(rest),
        (true, Err(_)) => Rest::Unreadable,
    }
}

/// Whether the value is to be removed as a whole. If not, the entries to be removed inside of it are gone already.
fn strip(value: &mut Value, gone: &impl Fn(&str) -> bool, cut: &mut bool) -> bool {
    match value {
        Value::Array(entries) => {
            let before = entries.len();
            entries.retain_mut(|entry| !(is_gone(entry, gone) || strip(entry, gone, cut)));
            *cut |= entries.len() != before;
            false
        }
        Value::Object(fields) => {
            if fields.values().any(|field| is_gone(field, gone)) {
                return true;
            }
            let before = fields.len();
            fields.retain(|name, field| !(gone(name) || strip(field, gone, cut)));
            *cut |= fields.len() != before;
            false
        }
        _ => false,
    }
}

fn is_gone(value: &Value, gone: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => gone(text),
        Value::Number(number) => gone(&number.to_string()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(body: &str, person: &str) -> Rest {
        without(body.as_bytes(), |text| text == person)
    }

    fn cut(text: &str) -> Rest {
        Rest::Cut(text.as_bytes().to_vec())
    }

    #[test]
    fn cuts_one_person_out() {
        let body = r#"{"phones": [{"personId": "p1", "numbers": ["+45"]}, {"personId": "p2"}]}"#;
        assert_eq!(rest(body, "p1"), cut(r#"{"phones":[{"personId":"p2"}]}"#));
        let wrapped = format!(r#"{{"data": {body}, "n": 2}}"#);
        assert_eq!(
            rest(&wrapped, "p2"),
            cut(r#"{"data":{"phones":[{"numbers":["+45"],"personId":"p1"}]},"n":2}"#)
        );
        assert_eq!(
            rest(r#"[{"id": 2751, "at": {"x": []}}, {"id": 1}]"#, "2751"),
            cut(r#"[{"id":1}]"#)
        );
        assert_eq!(
            rest(r#"{"people": {"p1": {}, "p2": {}}}"#, "p1"),
            cut(r#"{"people":{"p2":{}}}"#)
        );
    }

    #[test]
    fn leaves_others_as_they_were() {
        for body in [r#"{"phones": [{"personId": 2751}]}"#, "{}", r#"["p12"]"#] {
            assert_eq!(rest(body, "p1"), Rest::Same, "{body}");
        }
    }

    #[test]
    fn nothing_is_left_of_what_is_about_one_person() {
        assert_eq!(rest(r#"{"personId": "p1", "phoneNumbers": []}"#, "p1"), Rest::Nothing);
        let too_large = format!("[{}]", ["{}"; 30_000].join(","));
        for body in ["", "p1", &too_large] {
            assert_eq!(rest(body, "p1"), Rest::Unreadable, "{body:.20}");
        }
        let broken = r#"{"phones": [{"personId": "p2"}], "score": NaN}"#;
        assert_eq!(rest(broken, "p1"), cut(r#"{"phones":[{"personId":"p2"}],"score":null}"#));
    }
}
