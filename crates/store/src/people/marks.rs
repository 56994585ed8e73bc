//! The marks by which a person is recognised in texts: in rows of files, in bodies, and in a provider's words.

use std::collections::BTreeSet;

use jobs::{Identifier, IdentifierKind};
use serde_json::Value;

/// A text with fewer digits is not a phone number.
const PHONE_DIGITS: usize = 7;

/// Headers of columns that hold a person's own email address, in lower case, letters and digits only.
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

/// Identifiers, email addresses and numbers that belong to one person alone.
#[derive(Clone, Default)]
pub(crate) struct Marks {
    /// Encoded.
    identifiers: BTreeSet<String>,
    /// In lower case.
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

    /// Adds the person's email addresses from one of their rows. Other columns may hold addresses of colleagues.
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

    /// Returns texts in lower case. Any text that contains one of the identifiers contains at least one of them. For a slug
    /// that may be written in several ways, the text is the name of the site.
    pub(crate) fn needles(&self) -> BTreeSet<String> {
        let needle = |identifier: &String| {
            let (kind, value) = parts(identifier)?;
            let coded = kind == IdentifierKind::LinkedinUrl && !value.is_ascii();
            Some(if coded { "linkedin".to_owned() } else { value.to_lowercase() })
        };
        self.identifiers.iter().filter_map(needle).collect()
    }

    /// Returns whether one of the person's identifiers occurs in a text that can't be parsed.
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

    /// Returns the person's identifiers and email addresses as they may have been stored.
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

    /// Returns whether this is one of the person's encoded identifiers.
    pub(crate) fn has(&self, identifier: &str) -> bool {
        self.identifiers.contains(identifier)
    }

    /// Returns whether a text is one of the person's identifiers.
    pub(crate) fn identifies(&self, text: &str) -> bool {
        IdentifierKind::ALL.into_iter().any(|kind| {
            let parsed = Identifier::parse(kind, text);
            parsed.is_ok_and(|identifier| self.identifiers.contains(&identifier.encode()))
        })
    }

    /// Returns whether a text is one of the person's identifiers, email addresses or numbers.
    fn is(&self, text: &str) -> bool {
        let digits = || digits(text);
        self.identifies(text)
            || (!self.emails.is_empty() && self.emails.contains(&text.trim().to_lowercase()))
            || (!self.phones.is_empty() && self.phones.contains(&digits()))
    }

    /// Returns whether a cell of a row, kept as JSON, is one of the person's identifiers, email addresses or numbers.
    pub(crate) fn are_in(&self, fields: &str) -> bool {
        any_cell(fields, |cell| self.is(cell))
    }

    /// Returns whether a cell of a row, kept as JSON, is one of the person's identifiers.
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

/// Returns the kind and the value of an encoded identifier.
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
