use std::collections::BTreeSet;

use jobs::Credits;
use jobs::outcome::{Finding, PersonResult};
use serde_json::{Map, Value};

/// A body from which nothing can be read. The reason says what was missing, never what was there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    reason: String,
}

impl Malformed {
    pub(crate) fn new(reason: &str) -> Self {
        Malformed { reason: reason.to_owned() }
    }

    /// A body whose reader panicked.
    #[must_use]
    pub fn by_a_bug() -> Self {
        Malformed::new("its reader failed because of a bug; please report the shape of the body")
    }
}

/// The content of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The result of each person in the body.
    pub results: Vec<PersonResult>,
    /// Entries that are null, or of no shape that can be read.
    pub passed_over: usize,
    /// Names of undocumented fields that held a number.
    pub odd_fields: BTreeSet<String>,
    /// The credits that the request was charged, if the body states them.
    pub credits_used: Option<Credits>,
}

impl Reading {
    /// How many people are said to be found but have no readable number.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.results.iter().filter(|result| result.finding == Finding::Unreadable).count()
    }
}

/// Where a provider's bodies have their people.
pub(crate) struct Shape {
    /// Fields that list the people.
    pub(crate) lists: &'static [&'static str],
    /// Fields of one person, besides an id.
    pub(crate) fields: &'static [&'static str],
}

/// One person's entry, and the status of its body as a whole.
pub(crate) struct Entry<'b> {
    pub(crate) fields: &'b Map<String, Value>,
    pub(crate) overall: Word,
}

/// The entries of a body that can be read, and how many can't.
#[derive(Default)]
pub(crate) struct Entries<'b> {
    pub(crate) found: Vec<Entry<'b>>,
    pub(crate) passed_over: usize,
}

/// The people in a body.
pub(crate) fn entries<'b>(shape: &Shape, json: &'b Value) -> Result<Entries<'b>, Malformed> {
    let mut entries = Entries::default();
    let mut lists_no_person = false;
    for body in unwrapped(json, shape, 2) {
        let lists: Vec<&Value> = shape.lists.iter().filter_map(|name| body.get(*name)).collect();
        let overall = Word::of(body.get("status"));
        lists_no_person |= lists.iter().any(|list| list.as_array().is_some_and(Vec::is_empty));
        if lists_no_person && overall == Word::Finished {
            // The request is done and found no person. The webhook's address says which person was asked for.
            entries.found.push(Entry { fields: body, overall });
        } else if lists.is_empty() {
            entries.take(body, Word::Absent, shape);
        }
        for entry in lists.into_iter().flat_map(one_or_several) {
            match entry.as_object() {
                Some(fields) => entries.take(fields, overall, shape),
                None => entries.passed_over += 1,
            }
        }
    }
    let nameless =
        entries.found.len() > 1 && entries.found.iter().all(|e| person_id(e.fields).is_none());
    match () {
        () if nameless => Err(Malformed::new("no entry names a person")),
        () if entries.found.is_empty() && entries.passed_over > 0 => {
            Err(Malformed::new("none of the entries can be read"))
        }
        () if entries.found.is_empty() && !lists_no_person => {
            Err(Malformed::new(&format!("no person is listed in {}", shape.lists.join(" or "))))
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
pub(crate) fn unwrapped<'b>(
    json: &'b Value,
    shape: &Shape,
    deep: usize,
) -> Vec<&'b Map<String, Value>> {
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

/// A provider's word for a status, whatever its spelling: `notFound`, `Not Found`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Found,
    NotFound,
    OutOfCredits,
    /// The whole request is done; the word says nothing about what was found.
    Finished,
    /// Not done yet.
    Pending,
    /// An undocumented word.
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
