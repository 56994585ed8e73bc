//! Makes JSON of text that is almost JSON, in one pass. Text that can't be repaired is left to the parser to refuse.

use std::borrow::Cow;

/// The replacement for a surrogate without its other half.
const LONE_SURROGATE: &str = r"\ufffd";

/// Words that some libraries write for values that JSON doesn't have.
const NO_VALUE: [&str; 7] = ["nan", "infinity", "-infinity", "inf", "-inf", "undefined", "none"];

/// The body as text that is more likely to be JSON: in UTF-8 and without byte-order marks, with strings that JSON
/// allows, `null` for `NaN` and the like, and text for numbers that JSON doesn't have or can't hold exactly.
pub(super) fn repaired(body: &[u8]) -> String {
    let text = decoded(body);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_ref();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => string(&rest[1..], &mut out),
            '{' | '}' | '[' | ']' | ',' | ':' => {
                out.push(first);
                &rest[1..]
            }
            _ if is_space(first) => {
                out.push(' ');
                &rest[first.len_utf8()..]
            }
            _ => token(rest, &mut out),
        };
    }
    out
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Decodes UTF-8, or UTF-16 if a byte-order mark says so.
fn decoded(body: &[u8]) -> Cow<'_, str> {
    let utf16 = |body: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, _) = body.as_chunks::<2>();
        String::from_utf16_lossy(&units.iter().copied().map(unit).collect::<Vec<_>>())
    };
    match body {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => String::from_utf8_lossy(body),
    }
}

/// Writes a string whose first quote was read; returns the text after the string.
fn string<'t>(mut rest: &'t str, out: &mut String) -> &'t str {
    out.push('"');
    loop {
        let plain = rest.find(|c| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
        match rest.chars().next() {
            None => return rest,
            Some('"') => {
                out.push('"');
                return &rest[1..];
            }
            Some('\\') => rest = escape(rest, out),
            Some(control) => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
                rest = &rest[1..];
            }
        }
    }
}

/// Writes an escape; returns the text after it.
fn escape<'t>(rest: &'t str, out: &mut String) -> &'t str {
    if let Some(unit) = unit(rest) {
        let length = match unit {
            0xd800..=0xdbff if rest.get(6..).and_then(self::unit).is_some_and(is_low) => 12,
            0xd800..=0xdfff => {
                out.push_str(LONE_SURROGATE);
                return &rest[6..];
            }
            _ => 6,
        };
        out.push_str(&rest[..length]);
        return &rest[length..];
    }
    // A backslash before anything else stands for itself.
    let known = rest[1..].starts_with(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']);
    let (written, length) = if known { (&rest[..2], 2) } else { (r"\\", 1) };
    out.push_str(written);
    &rest[length..]
}

/// The UTF-16 unit that a text begins with, written as `\ud83d`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
}

fn is_low(unit: u16) -> bool {
    matches!(unit, 0xdc00..=0xdfff)
}

/// Writes a bare word; returns the text after it.
fn token<'t>(rest: &'t str, out: &mut String) -> &'t str {
    let ends = |c: char| is_space(c) || "\"{}[],:".contains(c);
    let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
    let is_text =
        !is_exact(word) && word.contains(|c: char| c.is_ascii_digit()) && !word.contains('\\');
    if NO_VALUE.contains(&word.to_ascii_lowercase().as_str()) {
        out.push_str("null");
    } else if is_text && !word.contains(char::is_control) {
        out.extend(["\"", word, "\""]);
    } else {
        out.push_str(word);
    }
    after
}

/// Whether JSON has this number, and can hold it: a fraction may be rounded, a whole number must not be.
fn is_exact(word: &str) -> bool {
    match serde_json::from_str::<serde_json::Number>(word) {
        Ok(number) => !number.is_f64() || word.contains(['.', 'e', 'E']),
        Err(_) => false,
    }
}
