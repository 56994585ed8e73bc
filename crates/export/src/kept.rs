use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => out.push_str(&format!("\\u{byte:04x}")),
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// A row's own columns that can't be read back.
#[derive(Debug, thiserror::Error)]
#[error("the row's columns are neither a JSON array nor an object: {0}")]
pub struct UnreadableFields(#[source] serde_json::Error);

/// The row's values as texts, one for each of the batch's columns: what a CSV export writes.
///
/// A text comes as it was, any other JSON value as its JSON, and a value that the row lacks as an empty text.
///
/// # Errors
/// Text that is not the `fields` of a row that was submitted.
pub fn texts(fields: &str, columns: &[String]) -> Result<Vec<String>, UnreadableFields> {
    let values = aligned(fields, columns)?;
    Ok(values.into_iter().map(|value| value.map_or_else(String::new, as_text)).collect())
}

/// The row as one JSON object: what a JSON Lines export writes. Columns that share a name are
/// distinguished by their place, `Notes` and `Notes (5)`.
///
/// # Errors
/// Text that is not the `fields` of a row that was submitted.
pub fn object(fields: &str, columns: &[String]) -> Result<String, UnreadableFields> {
    if fields.starts_with('{') {
        return Ok(fields.to_owned());
    }
    let values = aligned(fields, columns)?;
    let mut out = String::from("{");
    let mut taken = HashSet::with_capacity(columns.len());
    for (place, (name, value)) in columns.iter().zip(values).enumerate() {
        if out.len() > 1 {
            out.push(',');
        }
        push_string(&mut out, &unique_name(&mut taken, place, name));
        out.push(':');
        out.push_str(value.map_or("\"\"", RawValue::get));
    }
    out.push('}');
    Ok(out)
}

fn unique_name<'a>(taken: &mut HashSet<Cow<'a, str>>, place: usize, name: &'a str) -> Cow<'a, str> {
    let mut unique = Cow::Borrowed(name);
    while !taken.insert(unique.clone()) {
        unique = Cow::Owned(format!("{unique} ({})", place + 1));
    }
    unique
}

fn aligned<'a>(
    fields: &'a str,
    columns: &[String],
) -> Result<Vec<Option<&'a RawValue>>, UnreadableFields> {
    if fields.starts_with('{') {
        let object: HashMap<Cow<'a, str>, &'a RawValue> =
            serde_json::from_str(fields).map_err(UnreadableFields)?;
        return Ok(columns.iter().map(|name| object.get(name.as_str()).copied()).collect());
    }
    let array: Vec<&'a RawValue> = serde_json::from_str(fields).map_err(UnreadableFields)?;
    Ok((0..columns.len()).map(|place| array.get(place).copied()).collect())
}

fn as_text(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        json => serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned()),
    }
}
