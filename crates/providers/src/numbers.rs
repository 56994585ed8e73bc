//! One person's numbers, in any fields and lists.

use std::collections::{BTreeSet, HashMap};

use jobs::outcome::Phone;
use serde_json::{Map, Value};

use crate::phone::{kind_of, phone};
use crate::writing::{is_number_like, may_be_number, several};

/// Fields of an entry that hold its number: in a clean form first, then as it came.
const FIELDS: [&str; 11] = [
    "sanitized_number",
    "sanitizedNumber",
    "e164",
    "international_number",
    "internationalNumber",
    "raw_number",
    "rawNumber",
    "number",
    "numbers",
    "phoneNumber",
    "phone",
];

/// Words in the name of a field that holds a number.
const HINTS: [&str; 7] = ["phone", "mobile", "tel", "number", "cell", "whatsapp", "direct"];

/// How deep nested fields are searched.
const DEEPEST: usize = 4;

/// One person's numbers from all sources, in their order, each once.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    phones: Vec<Phone>,
    /// The place of each number, so that a hostile body of a hundred thousand numbers doesn't take an hour.
    places: HashMap<Key, usize>,
    /// Whether a value was where a number belongs, and was not a number.
    unread: bool,
    /// Names of undocumented fields that held a number.
    odd_fields: BTreeSet<String>,
}

impl Numbers {
    /// Adds the numbers in `value`: a number as text, several in one text, an object with a number and its `type`, or a
    /// list of any of these.
    pub(crate) fn add(&mut self, value: &Value, kind: Option<&str>) {
        match value {
            Value::String(text) => self.add_text(text, kind),
            Value::Number(number) if !number.is_f64() => self.add_text(&number.to_string(), kind),
            Value::Number(_) => self.unread = true,
            Value::Array(several) => several.iter().for_each(|value| self.add(value, kind)),
            Value::Object(fields) => self.add_fields(fields, kind),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Looks for numbers in undocumented fields. `known` are the fields that were read already.
    pub(crate) fn add_elsewhere(&mut self, fields: &Map<String, Value>, known: &[&str]) {
        self.look_into(fields, known, DEEPEST);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.phones.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.phones.len()
    }

    /// Whether a value was where a number belongs, and no number was read anywhere.
    pub(crate) fn none_is_readable(&self) -> bool {
        self.unread && self.phones.is_empty()
    }

    pub(crate) fn into_parts(self) -> (Vec<Phone>, BTreeSet<String>) {
        (self.phones, self.odd_fields)
    }

    /// Adds the numbers of an entry. Its fields are usually different forms of one number, so after the first a number
    /// is added only if it is another one beyond doubt.
    fn add_fields(&mut self, fields: &Map<String, Value>, kind: Option<&str>) {
        let kind = fields.get("type").and_then(Value::as_str).or(kind);
        let mut own = Numbers::default();
        for value in FIELDS.iter().filter_map(|name| fields.get(*name)) {
            let mut more = Numbers::default();
            more.add(value, kind);
            let first = own.is_empty();
            own.unread |= more.unread;
            let others = more.phones.into_iter().filter(|phone| first || phone.e164.is_some());
            own.phones.extend(others);
        }
        if own.is_empty() {
            own.look_into(fields, &FIELDS, DEEPEST);
            for phone in &mut own.phones {
                phone.kind = phone.kind.take().or_else(|| kind.and_then(kind_of));
            }
            let about = ["type", "source", "status", "label"];
            own.unread |= fields.iter().any(|(name, value)| {
                !about.contains(&name.as_str())
                    && matches!(value, Value::String(text) if !text.is_empty())
            });
        }
        self.unread |= own.unread;
        self.odd_fields.append(&mut own.odd_fields);
        own.phones.into_iter().for_each(|phone| self.push(phone));
    }

    fn look_into(&mut self, fields: &Map<String, Value>, known: &[&str], deep: usize) {
        let unknown = |name: &str| !known.contains(&name) && may_be_type(name);
        for (name, value) in fields.iter().filter(|(name, _)| unknown(name)) {
            let before = self.len();
            self.look_at(name, value, deep);
            if self.len() > before {
                self.odd_fields.insert(fit_to_be_said(name));
            }
        }
    }

    fn look_at(&mut self, name: &str, value: &Value, deep: usize) {
        match value {
            Value::String(text) => {
                let hinted = HINTS.iter().any(|hint| name.to_ascii_lowercase().contains(hint));
                for part in several(text).into_iter().filter(|part| is_number_like(part)) {
                    let phone = phone(part, None);
                    if hinted || phone.e164.is_some() {
                        self.push(phone);
                    }
                }
            }
            Value::Array(values) if deep > 0 => {
                values.iter().for_each(|value| self.look_at(name, value, deep - 1));
            }
            Value::Object(fields) if deep > 0 => self.look_into(fields, &[], deep - 1),
            _ => {}
        }
    }

    fn add_text(&mut self, text: &str, kind: Option<&str>) {
        // A list's own name is not a type of number.
        let kind = kind.filter(|kind| !["numbers", "phones", "phoneNumbers"].contains(kind));
        for part in several(text) {
            if may_be_number(part) {
                self.push(phone(part, kind));
            } else {
                self.unread = true;
            }
        }
    }

    fn push(&mut self, new: Phone) {
        let place = *self.places.entry(Key::of(&new)).or_insert(self.phones.len());
        match self.phones.get_mut(place) {
            Some(known) => known.kind = known.kind.take().or(new.kind),
            None => self.phones.push(new),
        }
    }
}

/// The key that two writings of one number share.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    /// In E.164, and the extension.
    Normal(String, Option<String>),
    /// As it was written, if it has no E.164 form.
    Written(String),
}

impl Key {
    fn of(phone: &Phone) -> Self {
        match &phone.e164 {
            Some(e164) => Key::Normal(e164.clone(), phone.extension.clone()),
            None => Key::Written(phone.raw.clone()),
        }
    }
}

/// Whether a field can be a type with numbers under it, rather than something about the answer
/// (`status`, `requestId`, `updatedAt`, `creditsUsed`).
pub(crate) fn may_be_type(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !(name.ends_with("Id")
        || name.ends_with("At")
        || ["status", "id", "ids"].contains(&lower.as_str())
        || ["date", "time", "credit", "mail", "_id", "_at"].iter().any(|part| lower.contains(part)))
}

/// A field's name, unless it could be data itself.
fn fit_to_be_said(name: &str) -> String {
    let plain =
        name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphabetic() || "_-.".contains(c));
    if plain { name.to_owned() } else { "(another field)".to_owned() }
}
