use jobs::{Identifier, IdentifierKind};
use providers::phone::to_e164;
use store::Suppression;

use crate::input::{Cells, header_key, known_header};
use jobs::words::harmless;

/// Headers under which files have numbers, as [`header_key`] gives them.
const PHONES: [&str; 22] = [
    "phone",
    "phonenumber",
    "phonenumbers",
    "telephone",
    "telephonenumber",
    "tel",
    "mobile",
    "mobilephone",
    "mobilenumber",
    "mobilephonenumber",
    "cell",
    "cellphone",
    "e164",
    "msisdn",
    "number",
    "workphone",
    "homephone",
    "otherphone",
    "directphone",
    "workdirectphone",
    "revealphones",
    "revealmobile",
];

/// The entries of a list.
#[derive(Default)]
pub struct List {
    /// People and numbers.
    pub entries: Vec<Suppression>,
    /// A line for each cell that can't be read; the line never repeats the cell.
    pub bad: Vec<String>,
}

/// The content of a column's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Identifier(IdentifierKind),
    Phone,
    Other,
}

fn role(header: &str) -> Role {
    match known_header(header) {
        Some(kind) => Role::Identifier(kind),
        None if PHONES.contains(&&*header_key(header)) => Role::Phone,
        None => Role::Other,
    }
}

/// Reads the records of a list. A first record that names columns of ours is its header; without a header, the form
/// of each cell shows what the cell is.
pub fn read(name: &str, records: Vec<Cells>) -> List {
    let mut list = List::default();
    let mut records = records.into_iter().peekable();
    let named =
        |record: &Cells| -> Vec<Role> { record.cells.iter().map(|(_, text)| role(text)).collect() };
    let is_header = |record: &Cells| {
        record.cells.iter().all(|(key, _)| key.is_none())
            && named(record).iter().any(|role| *role != Role::Other)
    };
    let header = records.next_if(is_header).map(|record| named(&record));
    for Cells { line, cells } in records {
        for (place, (key, text)) in cells.iter().enumerate() {
            let role = match (key, &header) {
                (Some(key), _) => Some(role(key)),
                (None, Some(header)) => Some(header.get(place).copied().unwrap_or(Role::Other)),
                (None, None) => None,
            };
            if let Err(why) = add(&mut list.entries, role, text) {
                list.bad.push(format!("{}:{line}: {why}", harmless(name)));
            }
        }
    }
    list
}

/// Adds the people or numbers that a cell names, if any.
fn add(entries: &mut Vec<Suppression>, role: Option<Role>, text: &str) -> Result<(), String> {
    match role {
        Some(Role::Other) => {}
        _ if text.is_empty() => {}
        Some(Role::Identifier(kind)) => match Identifier::parse(kind, text) {
            Ok(identifier) => entries.push(Suppression::Person(identifier)),
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(format!("{kind}: {error}")),
        },
        Some(Role::Phone) => {
            for one in text.split(';').filter(|one| !one.trim().is_empty()) {
                entries.push(phone(one).map_err(|why| format!("phone: {why}"))?);
            }
        }
        None => entries.push(guess(text)?),
    }
    Ok(())
}

/// Reads a cell that is under no header.
fn guess(text: &str) -> Result<Suppression, String> {
    let id = |kind, id: &str| Identifier::parse(kind, id).map(Suppression::Person);
    let read = match text.split_once(':') {
        Some(("ocean", own)) => id(IdentifierKind::OceanPersonId, own),
        Some(("clodura", own)) => id(IdentifierKind::CloduraPersonId, own),
        _ if text.to_ascii_lowercase().contains("linkedin.com") => {
            id(IdentifierKind::LinkedinUrl, text)
        }
        _ if text.starts_with('+') || text.starts_with("00") => {
            return phone(text).map_err(str::to_owned);
        }
        _ => {
            return Err(
                "is no LinkedIn address, no number with its country code, no ocean:ID and no clodura:ID; \
                 or name the columns in a header, such as linkedin_url and phone"
                    .into(),
            );
        }
    };
    read.map_err(|error| error.to_string())
}

/// A number, in E.164.
pub fn phone(text: &str) -> Result<Suppression, &'static str> {
    let e164 = to_e164(text).ok_or("is no number with its country code, as in +4512345678")?;
    Ok(Suppression::Phone(e164))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &List) -> Vec<String> {
        let name = |entry: &Suppression| match entry {
            Suppression::Person(identifier) => identifier.encode(),
            Suppression::Phone(e164) => e164.clone(),
        };
        list.entries.iter().map(name).collect()
    }

    fn lines(texts: &[&[&str]]) -> Vec<Cells> {
        let cells = |texts: &[&str]| texts.iter().map(|text| (None, (*text).to_owned())).collect();
        (1..).zip(texts).map(|(line, texts)| Cells { line, cells: cells(texts) }).collect()
    }

    #[test]
    fn a_header_says_what_columns_are() {
        let list = read(
            "l.csv",
            lines(&[
                &["Name", "LinkedIn URL", "Phone", "ocean_person_id"],
                &["Ann", "https://www.linkedin.com/in/Ann/", "+45 12 34 56 78; +4587654321", ""],
                &["Bob", "N/A", "", "o1"],
            ]),
        );
        let expected = ["linkedin.com/in/ann", "+4512345678", "+4587654321", "ocean:o1"];
        assert_eq!(names(&list), expected);
        assert!(list.bad.is_empty(), "{:?}", list.bad);
    }

    #[test]
    fn without_a_header_each_cell_says_what_it_is() {
        let list = read(
            "l.txt",
            lines(&[&["linkedin.com/in/ann"], &["+4512345678"], &["clodura:27"], &["ocean:o1"]]),
        );
        let expected = ["linkedin.com/in/ann", "+4512345678", "clodura:27", "ocean:o1"];
        assert_eq!(names(&list), expected);
        let list = read("l.txt", lines(&[&["12 34 56 78"], &["ann@example.com"]]));
        assert!(list.entries.is_empty());
        assert_eq!(list.bad.len(), 2);
        assert!(list.bad[0].starts_with("l.txt:1: "), "{:?}", list.bad);
        assert!(!list.bad[1].contains("ann"), "{:?}", list.bad);
    }

    #[test]
    fn keys_say_what_values_are() {
        let cells = vec![
            (Some("linkedinUrl".to_owned()), "linkedin.com/in/ann".to_owned()),
            (Some("note".to_owned()), "opted out".to_owned()),
        ];
        let list = read("l.jsonl", vec![Cells { line: 1, cells }]);
        assert_eq!(names(&list), ["linkedin.com/in/ann"]);
    }
}
