//! Reads bodies that came from outside as JSON. A fault outside of the data (a byte-order mark, `NaN`, bytes that are
//! not UTF-8) must not cost a result that was paid for.

mod repair;
mod tree_size;

use serde_json::{Map, Value};

use self::repair::repaired;
pub use self::tree_size::fits_in_memory;

/// The replacement for U+0000, as in HTML and Markdown.
const REPLACEMENT: &str = "\u{fffd}";

/// The fewest digits in a row that a JSON number may round.
const LONG_NUMBER: usize = 20;

/// Reads JSON that came from outside. Good JSON is read at once; other text is read as far as its meaning is clear.
/// Whole numbers that are too large for 64 bits become text, digit by digit. U+0000 is replaced: JSON may hold it, a
/// Postgres text can't.
///
/// # Errors
/// The body is not JSON, even after repair.
pub fn read(body: &[u8]) -> serde_json::Result<Value> {
    let long_number = has_long_number(body);
    if !long_number && let Ok(json) = serde_json::from_slice(body) {
        return Ok(without_nul(json, body));
    }
    let repaired = repaired(body);
    match serde_json::from_str(&repaired) {
        Ok(json) => Ok(without_nul(json, repaired.as_bytes())),
        // The first error names the line and the column in the body.
        Err(_) => serde_json::from_slice(body).map(|json| without_nul(json, body)),
    }
}

fn without_nul(mut json: Value, body: &[u8]) -> Value {
    // A raw U+0000 is not JSON, so only this escape can bring one.
    if body.windows(6).any(|bytes| bytes == br"\u0000") {
        replace(&mut json);
    }
    json
}

/// Whether the body has a run of [`LONG_NUMBER`] digits. Looks at every twentieth byte: no such run lies between two of
/// them.
fn has_long_number(body: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (LONG_NUMBER - 1..body.len()).step_by(LONG_NUMBER).any(|place| {
        let before = body[..place].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let from = digits(&body[place..]);
        from > 0 && before + from >= LONG_NUMBER
    })
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
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn nul_is_replaced_wherever_it_stands() {
        let body = br#"{"a\u0000b": ["\u0000", {"c": "+45\u000012"}, 1], "d": "\\u0000"}"#;
        let expected =
            json!({"a\u{fffd}b": ["\u{fffd}", {"c": "+45\u{fffd}12"}, 1], "d": "\\u0000"});
        assert_eq!(read(body).unwrap(), expected);
        assert_eq!(read(b"{\"a\": \"\0\"}").unwrap(), json!({"a": "\u{fffd}"}));
        assert!(read(b"{}\0").is_err());
    }

    #[test]
    fn what_is_wrong_outside_the_data_is_passed_over() {
        let good = json!({"a": ["x", null]});
        let utf16: Vec<u8> =
            "\u{feff}{\"a\": [\"x\", null]}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bodies: [&[u8]; 9] = [
            b"\xef\xbb\xbf{\"a\": [\"x\", null]}",
            b"\xef\xbb\xbf\xef\xbb\xbf{\"a\": [\"x\", null]}",
            &utf16,
            b"{\"a\": [\"x\", NaN]}",
            b"{\"a\":[\"x\",-Infinity]}",
            b"{\"a\": [\"x\", undefined ]}",
            b"{\"a\": [\"x\", None]}",
            b"{\"a\": [\"x\",\xc2\xa0null]}",
            b" {\"a\"\n:[\"\\u0078\",null]}",
        ];
        for body in bodies {
            assert_eq!(read(body).unwrap(), good, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn strings_that_are_not_quite_json() {
        for (body, text) in [
            (&br#""\ud83d\ude00 \ud83d x""#[..], "\u{1f600} \u{fffd} x"),
            (br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (br#""\ud83d\u0041""#, "\u{fffd}A"),
            (br#""\ud83d" "#, "\u{fffd}"),
            (b"\"Jos\xe9\"", "Jos\u{fffd}"),
            (b"\"a\tb\nc\"", "a\tb\nc"),
            (br#""a\xb""#, "a\\xb"),
            (br#""a\"b\\" "#, "a\"b\\"),
        ] {
            assert_eq!(read(body).unwrap(), json!(text), "{}", String::from_utf8_lossy(body));
        }
        for body in [&b"\"abc"[..], b"\"abc\\", br#""\ud83"#, b"abc", b"", b"[1,", b"+"] {
            assert!(read(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn whole_numbers_are_kept_digit_by_digit() {
        for (body, expected) in [
            ("2751275603503088159", json!(2_751_275_603_503_088_159_u64)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("27512756035030881591234567", json!("27512756035030881591234567")),
            ("-27512756035030881591234567", json!("-27512756035030881591234567")),
            ("0.12345678901234567890123", json!(0.123_456_789_012_345_68)),
            ("+4512345678", json!("+4512345678")),
            ("0045123", json!("0045123")),
            ("1e999", json!("1e999")),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap(), expected, "{body}");
            let inside = format!("{{\"id\":{body},\"x\":[{body}]}}");
            assert_eq!(read(inside.as_bytes()).unwrap(), json!({"id": expected, "x": [expected]}));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200), text in r#"["\\{}\[\],:0-9a-fuNI.+-]{0,60}"#) {
            let _ = (read(&body), read(text.as_bytes()));
        }

        #[test]
        fn good_json_needs_no_repair(texts in prop::collection::vec(any::<String>(), 0..6), numbers in prop::collection::vec(any::<i64>(), 0..4)) {
            let json = json!({"texts": texts, "numbers": numbers});
            let repaired = repaired(json.to_string().as_bytes());
            prop_assert_eq!(serde_json::from_str::<Value>(&repaired).unwrap(), json);
        }

        #[test]
        fn a_long_number_is_found_wherever_it_stands(before in 0..70_usize, digits in 15..40_usize) {
            let body = format!("{}{}x", " ".repeat(before), "7".repeat(digits));
            prop_assert_eq!(has_long_number(body.as_bytes()), digits >= LONG_NUMBER);
        }
    }
}
