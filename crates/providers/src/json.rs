use serde_json::{Map, Value};

/// What stands for U+0000, as in HTML and Markdown.
const REPLACEMENT: &str = "\u{fffd}";

/// Reads JSON that came from outside. U+0000 is replaced: JSON may hold it, a text of Postgres can't,
/// and one such character must not keep what was paid for out of the ledger.
pub(crate) fn read(body: &[u8]) -> serde_json::Result<Value> {
    let mut json = serde_json::from_slice(body)?;
    // As it is it would be no JSON, so it can only be there by this escape.
    if body.windows(6).any(|bytes| bytes == br"\u0000") {
        replace(&mut json);
    }
    Ok(json)
}

fn replace(json: &mut Value) {
    match json {
        Value::String(text) if text.contains('\0') => *text = without(text),
        Value::Array(several) => several.iter_mut().for_each(replace),
        Value::Object(fields) => {
            let renamed: Map<String, Value> = std::mem::take(fields)
                .into_iter()
                .map(|(name, mut value)| {
                    replace(&mut value);
                    (without(&name), value)
                })
                .collect();
            *fields = renamed;
        }
        _ => {}
    }
}

fn without(text: &str) -> String {
    text.replace('\0', REPLACEMENT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn nul_is_replaced_wherever_it_stands() {
        let body = br#"{"a\u0000b": ["\u0000", {"c": "+45\u000012"}, 1], "d": "\\u0000"}"#;
        let expected =
            json!({"a\u{fffd}b": ["\u{fffd}", {"c": "+45\u{fffd}12"}, 1], "d": "\\u0000"});
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn a_nul_that_is_not_written_as_json_writes_it_is_no_json() {
        assert!(read(b"{\"a\": \"\0\"}").is_err());
        assert!(read(b"{}\0").is_err());
    }
}
