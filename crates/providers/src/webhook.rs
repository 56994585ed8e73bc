use jobs::Provider;
use jobs::outcome::{PersonResult, Phone};
use serde_json::{Map, Value};

use crate::phone::phone;
use crate::{clodura, json, ocean};

/// A body that is no JSON of the expected shape. Says what was missing, never what was there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    reason: String,
}

impl Malformed {
    pub(crate) fn new(reason: &str) -> Self {
        Malformed { reason: reason.to_owned() }
    }
}

/// Whether [`parse`] can read a body. Somebody waits for the answer, so numbers are left to whoever applies it.
///
/// # Errors
/// Those of [`parse`].
pub fn check(provider: Provider, body: &[u8]) -> Result<(), Malformed> {
    let json = read(body)?;
    match provider {
        Provider::Ocean => ocean::entries(&json).map(|_| ()),
        Provider::Clodura => clodura::entries(&json).map(|_| ()),
    }
}

fn read(body: &[u8]) -> Result<Value, Malformed> {
    json::read(body).map_err(|error| {
        Malformed::new(&format!("no JSON (line {}, column {})", error.line(), error.column()))
    })
}

/// Reads what a provider's webhook says about each person in it.
///
/// # Errors
/// A body that is no JSON, or none of the provider's shapes. Fields and words that nothing
/// published names are no error: they are passed over, and what is not a result stays open.
pub fn parse(provider: Provider, body: &[u8]) -> Result<Vec<PersonResult>, Malformed> {
    let json = read(body)?;
    match provider {
        Provider::Ocean => ocean::results(&json),
        Provider::Clodura => clodura::results(&json),
    }
}

/// A provider's word for how far it is, whatever its spelling: `notFound`, `Not Found`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Found,
    NotFound,
    OutOfCredits,
    /// The whole is done, which says nothing about what was found.
    Finished,
    /// In progress, or a word that nothing published names: not a result.
    Open,
    Absent,
}

impl Word {
    pub(crate) fn of(status: Option<&Value>) -> Self {
        let text = match status {
            None | Some(Value::Null) => return Word::Absent,
            Some(Value::String(text)) => text,
            Some(_) => return Word::Open,
        };
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        match letters.collect::<String>().to_ascii_lowercase().as_str() {
            "found" | "verified" => Word::Found,
            "notfound" => Word::NotFound,
            "insufficientcredits" => Word::OutOfCredits,
            "success" | "succeeded" | "finished" | "complete" | "completed" | "done" => {
                Word::Finished
            }
            _ => Word::Open,
        }
    }
}

/// The id under which an entry is answered.
pub(crate) fn person_id(entry: &Map<String, Value>) -> Option<String> {
    entry.get("personId").and_then(id)
}

/// An id as text or as a whole number. One so large that JSON's numbers have rounded it is none
/// at all: better nobody than somebody else.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a field of a source can be a type with numbers under it, rather than something about
/// the answer (`status`, `requestId`, `updatedAt`, `creditsUsed`).
pub(crate) fn may_be_type(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !(name.ends_with("Id")
        || name.ends_with("At")
        || ["status", "id", "ids"].contains(&lower.as_str())
        || ["date", "time", "credit", "mail", "_id", "_at"].iter().any(|part| lower.contains(part)))
}

/// One person's numbers from all sources, in their order, each once.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Vec<Phone>);

impl Numbers {
    /// Takes what `value` holds: a number as text, an object with `raw_number` and `type`, or a
    /// list of either.
    pub(crate) fn add(&mut self, value: &Value, kind: Option<&str>) {
        match value {
            Value::String(text) => self.add_text(text, kind),
            Value::Number(number) if !number.is_f64() => self.add_text(&number.to_string(), kind),
            Value::Array(several) => several.iter().for_each(|value| self.add(value, kind)),
            Value::Object(fields) => {
                let kind = fields.get("type").and_then(Value::as_str).or(kind);
                let names = ["raw_number", "rawNumber", "number", "phoneNumber", "phone"];
                if let Some(value) = names.iter().find_map(|name| fields.get(*name)) {
                    self.add(value, kind);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn into_phones(self) -> Vec<Phone> {
        self.0
    }

    fn add_text(&mut self, text: &str, kind: Option<&str>) {
        if !may_be_number(text) {
            return;
        }
        // A list's own name is not a type of number.
        let kind = kind.filter(|kind| !["numbers", "phones", "phoneNumbers"].contains(kind));
        let new = phone(text, kind);
        match self.0.iter_mut().find(|known| same(known, &new)) {
            Some(known) => known.kind = known.kind.take().or(new.kind),
            None => self.0.push(new),
        }
    }
}

fn same(a: &Phone, b: &Phone) -> bool {
    if a.e164.is_some() { a.e164 == b.e164 } else { a.raw == b.raw }
}

/// Generous: a number that was paid for is not dropped for its spelling.
fn may_be_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (5..=40).contains(&digits) && text.len() <= 100 && !text.contains('@') && !is_date(text)
}

/// `2026-01-31`, with or without a time behind it.
fn is_date(text: &str) -> bool {
    let text = text.as_bytes();
    let century = text.starts_with(b"19") || text.starts_with(b"20");
    century && text.get(4) == Some(&b'-') && text.get(7) == Some(&b'-')
}
