use export::kept;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use jobs::IdentifierKind;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::{Recognised, Role};
use super::error::{InputError, RowError};
use super::identifiers::{Fault, Identifiers, Texts, Validator, Waterfall};
use super::input_file::InputFile;
use super::row::{BadRow, Line, Row};

/// The keys of all rows so far, in order of their first appearance.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    by_name: HashMap<String, usize>,
    /// Counts rows, so that a key knows whether this row already had it.
    rows: u64,
    /// The keys of the present row that no good row had so far.
    unproven: Vec<usize>,
}

#[derive(Debug)]
struct Key {
    name: String,
    json: String,
    role: Role,
    last_row: u64,
    in_good_row: bool,
}

impl Keys {
    /// The names of the keys that are kept: those of good rows.
    pub fn kept(&self) -> Vec<String> {
        let kept = self.keys.iter().filter(|key| key.in_good_row && key.role != Role::Reserved);
        kept.map(|key| key.name.clone()).collect()
    }

    /// The names of the keys that an earlier export added, in order.
    pub fn left_out(&self) -> Vec<&str> {
        let left_out = self.keys.iter().filter(|key| key.role == Role::Reserved);
        left_out.map(|key| key.name.as_str()).collect()
    }

    /// The names of all keys, those of bad rows included.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.keys.iter().map(|key| key.name.as_str())
    }

    /// Finds or adds the key `name`; `guess` is where it would be if all rows were alike.
    fn place(&mut self, name: &str, guess: usize, recognised: &Recognised) -> usize {
        if self.keys.get(guess).is_some_and(|key| key.name == name) {
            return guess;
        }
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        let mut json = String::new();
        kept::push_string(&mut json, name);
        let role = recognised.role(name);
        self.by_name.insert(name.to_owned(), self.keys.len());
        let name = name.to_owned();
        self.keys.push(Key { name, json, role, last_row: 0, in_good_row: false });
        self.keys.len() - 1
    }

    /// Makes the keys of the present row, which is good, columns of the batch.
    fn prove(&mut self) {
        for place in self.unproven.drain(..) {
            if let Some(key) = self.keys.get_mut(place) {
                key.in_good_row = true;
            }
        }
    }
}

/// Reads the next row. None at the end of the file.
pub fn next(
    file: &mut InputFile,
    keys: &mut Keys,
    validator: &Validator,
) -> Result<Option<Line>, InputError> {
    while let Some(end) = file.first_line()? {
        let raw = &file.bytes()[..end.content];
        let line = (!is_blank(raw)).then(|| line(file, raw, keys, validator));
        file.window.pass(end.next);
        if line.is_some() {
            return Ok(line);
        }
    }
    Ok(None)
}

/// Whether a line is blank. Old programs end a file with Ctrl-Z.
fn is_blank(raw: &[u8]) -> bool {
    raw.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x1a)
}

fn line(file: &InputFile, raw: &[u8], keys: &mut Keys, validator: &Validator) -> Line {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(error) => {
            let bad = file.not_utf8(raw, error.valid_up_to());
            let fields = as_object(&String::from_utf8_lossy(raw), validator.recognised());
            return Line::Bad(BadRow { fields, ..bad });
        }
    };
    match row(text, keys, validator) {
        Ok((fields, identifiers, waterfall)) => Line::Row(Row {
            source: file.place,
            line: file.window.line(),
            fields,
            identifiers,
            waterfall,
        }),
        Err((column, error)) => {
            let fields = as_object(text, validator.recognised());
            Line::Bad(BadRow { fields, ..file.bad(column, error, raw) })
        }
    }
}

/// The kept keys of a bad line. A value that is not an object is wrapped in one.
fn as_object(text: &str, recognised: &Recognised) -> String {
    let mut out = String::from("{");
    let mut push = |name: &str, push_value: &dyn Fn(&mut String)| {
        if out.len() > 1 {
            out.push(',');
        }
        kept::push_string(&mut out, name);
        out.push(':');
        push_value(&mut out);
    };
    match parse(text) {
        Ok(object) => {
            let kept = object.0.iter().filter(|(name, _)| recognised.role(name) != Role::Reserved);
            kept.for_each(|(name, value)| push(name, &|out| out.push_str(value.get())));
        }
        Err(_) => push("line", &|out| kept::push_string(out, text)),
    }
    out.push('}');
    out
}

fn row(
    text: &str,
    keys: &mut Keys,
    validator: &Validator,
) -> Result<(String, Identifiers, Waterfall), Fault> {
    let object = parse(text).map_err(|error| (None, error))?;
    keys.rows += 1;
    keys.unproven.clear();
    let mut texts: Texts<'_> = [None, None, None];
    let mut fields = String::with_capacity(text.len());
    fields.push('{');
    for (guess, (name, value)) in object.0.iter().enumerate() {
        let place = keys.place(name, guess, validator.recognised());
        let (rows, key) = (keys.rows, &mut keys.keys[place]);
        if std::mem::replace(&mut key.last_row, rows) == rows {
            return Err((None, RowError::DuplicateKey(key.name.clone())));
        }
        if !key.in_good_row {
            keys.unproven.push(place);
        }
        if let Role::Identifier(kind) = key.role {
            let text = identifier_text(value).map_err(|error| (Some(kind.to_string()), error))?;
            let slot = &mut texts[slot(kind)];
            if slot.is_some() {
                return Err((None, RowError::DuplicateKey(kind.to_string())));
            }
            *slot = Some(text);
        }
        if key.role != Role::Reserved {
            if fields.len() > 1 {
                fields.push(',');
            }
            fields.push_str(&key.json);
            fields.push(':');
            fields.push_str(value.get());
        }
    }
    fields.push('}');
    let (identifiers, waterfall) = validator.identify(&texts)?;
    keys.prove();
    Ok((fields, identifiers, waterfall))
}

fn slot(kind: IdentifierKind) -> usize {
    IdentifierKind::ALL.iter().position(|known| *known == kind).unwrap_or_default()
}

/// Ids are numbers in many exports; a fraction is no id but a damaged one (`2751.0`).
fn identifier_text(value: &RawValue) -> Result<Cow<'_, str>, RowError> {
    let json = value.get();
    match json.as_bytes() {
        b"null" => Ok(Cow::Borrowed("")),
        [b'"', ..] => serde_json::from_str::<Text<'_>>(json).map(|text| text.0).map_err(bad_json),
        digits if digits.iter().all(u8::is_ascii_digit) => Ok(Cow::Borrowed(json)),
        _ => Err(RowError::NotText),
    }
}

/// An object's keys and values in their order, repeated keys included.
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

/// Reads one line.
pub fn parse(text: &str) -> Result<Object<'_>, RowError> {
    let object: Object<'_> =
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => RowError::NotAnObject,
            _ => bad_json(error),
        })?;
    match object.0.iter().find(|(_, value)| !is_readable(value.get())) {
        Some((name, _)) => {
            Err(RowError::Json(format!("{name:?} has half of a character, as in \\ud83d")))
        }
        None => Ok(object),
    }
}

/// Whether a value can be read back. Values are kept as they are written, and a text with half of a pair of escapes
/// can't be read back.
fn is_readable(value: &str) -> bool {
    !(value.starts_with('"') && value.contains("\\u"))
        || serde_json::from_str::<Text<'_>>(value).is_ok()
}

/// Leaves the position out of the message: serde_json counts lines in the text that it was given, which is one line
/// of many.
fn bad_json(error: serde_json::Error) -> RowError {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string().replace(&position, "");
    RowError::Json(format!("{message} (column {})", error.column()))
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some((key, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    entries.push((key.0, value));
                }
                Ok(Object(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
