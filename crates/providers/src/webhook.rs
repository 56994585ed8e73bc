use std::collections::BTreeSet;

use jobs::outcome::{Finding, PersonResult};
use jobs::{Credits, Provider, json};
use serde_json::{Map, Value};

use crate::{clodura, ocean};

/// A body that nothing can be read from. Says what was missing, never what was there.
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

/// What a body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// About each person in it.
    pub results: Vec<PersonResult>,
    /// Entries that are null, or of no shape that can be read.
    pub passed_over: usize,
    /// Names of fields that nothing published names, and that held a number.
    pub odd_fields: BTreeSet<String>,
    /// What the request was charged, where the body tells it.
    pub credits_used: Option<Credits>,
}

impl Reading {
    /// People who are said to be found, and none of whose numbers can be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.results.iter().filter(|result| result.finding == Finding::Unreadable).count()
    }
}

/// Whether [`parse`] can read a body. Somebody waits for the answer, so numbers are left to whoever applies it.
///
/// # Errors
/// Those of [`parse`].
pub fn check(provider: Provider, body: &[u8]) -> Result<(), Malformed> {
    entries(provider, &read(body)?).map(|_| ())
}

/// Reads what a provider's webhook says about each person in it.
///
/// # Errors
/// A body from which nothing can be read. Fields and words that nothing published names are no error, nor is an
/// entry that can't be read beside one that can: they are passed over, and what is not a result stays open.
pub fn parse(provider: Provider, body: &[u8]) -> Result<Reading, Malformed> {
    read_json(provider, &read(body)?)
}

pub(crate) fn read_json(provider: Provider, json: &Value) -> Result<Reading, Malformed> {
    let Entries { found, passed_over } = entries(provider, json)?;
    let mut reading = Reading { passed_over, ..Reading::default() };
    if provider == Provider::Ocean {
        let mut bodies = unwrapped(json, &ocean::SHAPE, 2).into_iter();
        reading.credits_used = bodies.find_map(ocean::credits_used);
    }
    for Entry { fields, overall } in found {
        let read = match provider {
            Provider::Ocean => ocean::result(fields, &mut reading.odd_fields),
            Provider::Clodura => clodura::result(fields, overall, &mut reading.odd_fields),
        };
        reading.results.push(read);
    }
    Ok(reading)
}

fn read(body: &[u8]) -> Result<Value, Malformed> {
    json::read(body).map_err(|error| {
        Malformed::new(&format!("no JSON (line {}, column {})", error.line(), error.column()))
    })
}

/// Where a provider's bodies have their people.
pub(crate) struct Shape {
    /// Fields that list them.
    pub(crate) lists: &'static [&'static str],
    /// Fields of one of them, besides an id.
    pub(crate) fields: &'static [&'static str],
}

/// One person's entry, and what its body says of the whole.
struct Entry<'b> {
    fields: &'b Map<String, Value>,
    overall: Word,
}

#[derive(Default)]
struct Entries<'b> {
    found: Vec<Entry<'b>>,
    passed_over: usize,
}

fn entries(provider: Provider, json: &Value) -> Result<Entries<'_>, Malformed> {
    let shape = match provider {
        Provider::Ocean => ocean::SHAPE,
        Provider::Clodura => clodura::SHAPE,
    };
    let mut entries = Entries::default();
    let mut lists_nobody = false;
    for body in unwrapped(json, &shape, 2) {
        let lists: Vec<&Value> = shape.lists.iter().filter_map(|name| body.get(*name)).collect();
        let overall = Word::of(body.get("status"));
        lists_nobody |= lists.iter().any(|list| list.as_array().is_some_and(Vec::is_empty));
        if lists_nobody && overall == Word::Finished {
            // The request is done and found no one. The webhook address says which person that is.
            entries.found.push(Entry { fields: body, overall });
        } else if lists.is_empty() {
            entries.take(body, Word::Absent, &shape);
        }
        for entry in lists.into_iter().flat_map(one_or_several) {
            match entry.as_object() {
                Some(fields) => entries.take(fields, overall, &shape),
                None => entries.passed_over += 1,
            }
        }
    }
    let nameless =
        entries.found.len() > 1 && entries.found.iter().all(|e| person_id(e.fields).is_none());
    match () {
        () if nameless => Err(Malformed::new("no entry says whom it is about")),
        () if entries.found.is_empty() && entries.passed_over > 0 => {
            Err(Malformed::new("none of the entries can be read"))
        }
        () if entries.found.is_empty() && !lists_nobody => {
            Err(Malformed::new(&format!("nobody is listed in {}", shape.lists.join(" or "))))
        }
        () => Ok(entries),
    }
}

impl<'b> Entries<'b> {
    fn take(&mut self, fields: &'b Map<String, Value>, overall: Word, shape: &Shape) {
        let readable = person_id(fields).is_some()
            || shape.fields.iter().any(|name| fields.contains_key(*name));
        match readable {
            true => self.found.push(Entry { fields, overall }),
            false => self.passed_over += 1,
        }
    }
}

fn one_or_several(value: &Value) -> &[Value] {
    match value {
        Value::Array(several) => several,
        one => std::slice::from_ref(one),
    }
}

/// The bodies in a body, which may be wrapped in `data` or in a list.
fn unwrapped<'b>(json: &'b Value, shape: &Shape, deep: usize) -> Vec<&'b Map<String, Value>> {
    let inside = |value| if deep > 0 { unwrapped(value, shape, deep - 1) } else { Vec::new() };
    match json {
        Value::Array(several) => several.iter().flat_map(inside).collect(),
        Value::Object(fields) => {
            let own = shape.lists.iter().chain(shape.fields).any(|name| fields.contains_key(*name));
            match fields.get("data").filter(|data| !own && (data.is_object() || data.is_array())) {
                Some(data) => inside(data),
                None => vec![fields],
            }
        }
        _ => Vec::new(),
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
    /// Not done yet.
    Pending,
    /// A word that nothing published names.
    Other,
    Absent,
}

impl Word {
    pub(crate) fn of(status: Option<&Value>) -> Self {
        let text = match status {
            None | Some(Value::Null) => return Word::Absent,
            Some(Value::String(text)) => text,
            Some(_) => return Word::Other,
        };
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        match letters.collect::<String>().to_ascii_lowercase().as_str() {
            "found" | "verified" => Word::Found,
            "notfound" => Word::NotFound,
            "insufficientcredits" => Word::OutOfCredits,
            "success" | "succeeded" | "finished" | "complete" | "completed" | "done" => {
                Word::Finished
            }
            "inprogress" | "pending" | "queued" | "processing" | "running" | "searching"
            | "started" | "waiting" | "verifying" => Word::Pending,
            _ => Word::Other,
        }
    }
}

/// The id under which an entry is answered.
pub(crate) fn person_id(entry: &Map<String, Value>) -> Option<String> {
    let names = ["personId", "person_id", "personID", "id"];
    names.iter().find_map(|name| entry.get(*name).and_then(id))
}

/// An id as text or as a whole number.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}
