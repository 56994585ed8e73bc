//! By what a person is recognised in what others wrote: files' rows, bodies, a provider's words.

use std::collections::BTreeSet;

use jobs::{Identifier, IdentifierKind};
use serde_json::Value;

/// Fewer digits are no phone number.
const PHONE_DIGITS: usize = 7;

/// Headers of columns that hold a person's own address, in small letters and without anything else.
const OWN_EMAIL: [&str; 10] = [
    "email",
    "emailaddress",
    "mail",
    "workemail",
    "businessemail",
    "personalemail",
    "privateemail",
    "primaryemail",
    "contactemail",
    "email1",
];

/// What is one person's alone.
#[derive(Clone, Default)]
pub(crate) struct Marks {
    /// Encoded.
    identifiers: BTreeSet<String>,
    /// In small letters.
    emails: BTreeSet<String>,
    /// Digits only.
    phones: BTreeSet<String>,
}

impl Marks {
    pub(crate) fn of(identifiers: &BTreeSet<String>) -> Self {
        Marks { identifiers: identifiers.clone(), ..Marks::default() }
    }

    pub(crate) fn add_phone(&mut self, number: &str) {
        let digits = digits(number);
        if digits.len() >= PHONE_DIGITS {
            self.phones.insert(digits);
        }
    }

    /// Takes the person's addresses from a row of theirs. Other columns may hold those of colleagues.
    pub(crate) fn add_emails(&mut self, header: Option<&str>, fields: &str) {
        let names: Vec<String> =
            header.and_then(|names| serde_json::from_str(names).ok()).unwrap_or_default();
        let cells: Vec<(String, Value)> = match serde_json::from_str(fields) {
            Ok(Value::Array(cells)) => names.into_iter().zip(cells).collect(),
            Ok(Value::Object(object)) => object.into_iter().collect(),
            _ => return,
        };
        for (name, cell) in cells {
            let name: String =
                name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
            if let Some(text) = cell.as_str().filter(|text| text.contains('@'))
                && OWN_EMAIL.contains(&name.as_str())
            {
                self.emails.insert(text.trim().to_lowercase());
            }
        }
    }

    /// Texts of which one stands in whatever is found by an identifier, in small letters. A slug may be written in several ways.
    pub(crate) fn needles(&self) -> BTreeSet<String> {
        let needle = |identifier: &String| {
            let (kind, value) = parts(identifier)?;
            let coded = kind == IdentifierKind::LinkedinUrl && !value.is_ascii();
            Some(if coded { "linkedin".to_owned() } else { value.to_lowercase() })
        };
        self.identifiers.iter().filter_map(needle).collect()
    }

    /// Whether one of their identifiers stands in a text that can't be read otherwise.
    pub(crate) fn stand_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        self.identifiers.iter().filter_map(|identifier| parts(identifier)).any(|(_, value)| {
            let value = value.to_lowercase();
            text.match_indices(&value).any(|(at, _)| {
                !text[..at].ends_with(is_part) && !text[at + value.len()..].starts_with(is_part)
            })
        })
    }

    /// All texts that are theirs, as they may have been stored.
    pub(crate) fn stored(&self) -> impl Iterator<Item = String> {
        let identifiers = self.identifiers.iter().flat_map(|identifier| {
            let value = parts(identifier).map(|(kind, value)| match kind {
                IdentifierKind::LinkedinUrl => format!("/in/{value}"),
                _ => format!("\"{value}\""),
            });
            value.into_iter().chain([identifier.clone()])
        });
        identifiers.chain(self.emails.iter().cloned())
    }

    /// Whether this is one of their encoded identifiers.
    pub(crate) fn has(&self, identifier: &str) -> bool {
        self.identifiers.contains(identifier)
    }

    /// Whether a text is one of their identifiers.
    pub(crate) fn identifies(&self, text: &str) -> bool {
        IdentifierKind::ALL.into_iter().any(|kind| {
            let parsed = Identifier::parse(kind, text);
            parsed.is_ok_and(|identifier| self.identifiers.contains(&identifier.encode()))
        })
    }

    /// Whether a text is anything of theirs.
    fn is(&self, text: &str) -> bool {
        let digits = || digits(text);
        self.identifies(text)
            || (!self.emails.is_empty() && self.emails.contains(&text.trim().to_lowercase()))
            || (!self.phones.is_empty() && self.phones.contains(&digits()))
    }

    /// Whether a cell of a row, kept as JSON, is anything of theirs.
    pub(crate) fn are_in(&self, fields: &str) -> bool {
        any_cell(fields, |cell| self.is(cell))
    }

    /// Whether a cell of a row, kept as JSON, is one of their identifiers.
    pub(crate) fn identify(&self, fields: &str) -> bool {
        any_cell(fields, |cell| self.identifies(cell))
    }
}

fn any_cell(fields: &str, is_theirs: impl Fn(&str) -> bool) -> bool {
    let cells: Vec<Value> = match serde_json::from_str(fields) {
        Ok(Value::Array(cells)) => cells,
        Ok(Value::Object(object)) => object.into_iter().map(|(_, value)| value).collect(),
        _ => return false,
    };
    cells.iter().any(|cell| match cell {
        Value::String(text) => is_theirs(text),
        Value::Number(number) => is_theirs(&number.to_string()),
        _ => false,
    })
}

/// The kind and the value of an encoded identifier.
fn parts(identifier: &str) -> Option<(IdentifierKind, &str)> {
    let kind = IdentifierKind::of_encoded(identifier)?;
    Some((kind, identifier.strip_prefix(kind.prefix())?))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Marks {
        Marks::of(&["linkedin.com/in/ann".to_owned(), "clodura:27".to_owned()].into())
    }

    #[test]
    fn a_row_names_a_person_in_any_cell_that_is_an_identifier() {
        for fields in
            [r#"["Ann","https://www.linkedin.com/in/Ann/"]"#, r#"{"id":27}"#, r#"["","27"]"#]
        {
            assert!(ann().identify(fields), "{fields}");
        }
        for fields in [r#"["ann","linkedin.com/in/anne"]"#, r#"{"id":270}"#, "[]", "no JSON"] {
            assert!(!ann().identify(fields), "{fields}");
        }
    }

    #[test]
    fn addresses_and_numbers_are_theirs_where_their_row_or_result_says_so() {
        let mut marks = ann();
        marks.add_emails(
            Some(r#"["E-Mail","Owner email","id"]"#),
            r#"["Ann@Example.com","rep@example.com","27"]"#,
        );
        marks.add_emails(None, r#"{"work_email":"a@example.org","email":7}"#);
        marks.add_phone("+45 12 34 56 78");
        marks.add_phone("+45");
        for cell in ["ann@example.com ", "A@example.org", "(45) 12345678"] {
            assert!(marks.are_in(&format!("[\"{cell}\"]")), "{cell}");
            assert!(!marks.identify(&format!("[\"{cell}\"]")), "{cell}");
        }
        for cell in ["rep@example.com", "45", "", "12345678"] {
            assert!(!marks.are_in(&format!("[\"{cell}\"]")), "{cell}");
        }
    }

    #[test]
    fn an_identifier_is_no_part_of_a_longer_one() {
        for text in ["27", "id=27,", "<a href='linkedin.com/in/ann/'>", "ANN"] {
            assert!(ann().stand_in(text), "{text}");
        }
        for text in ["", "277", "a-27", "anne", "joann_"] {
            assert!(!ann().stand_in(text), "{text}");
        }
    }

    #[test]
    fn what_is_looked_for_first_finds_every_spelling() {
        let marks = Marks::of(
            &[
                "ocean:P1".to_owned(),
                "linkedin.com/in/josé".to_owned(),
                "linkedin.com/in/b".to_owned(),
            ]
            .into(),
        );
        let needles: Vec<String> = marks.needles().into_iter().collect();
        assert_eq!(needles, ["b", "linkedin", "p1"]);
    }
}
