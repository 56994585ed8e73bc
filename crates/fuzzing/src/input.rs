use std::collections::BTreeMap;
use std::io::Read;

use enqueue::input::{InputError, Line, Options, Reader, Source};
use export::kept;
use jobs::Identifier;
use serde_json::value::RawValue;

/// No line of a CSV file vanishes, and it makes no difference in which pieces a file comes.
pub(crate) fn csv(data: &[u8]) {
    let table = Table::read("people.csv", data, data.len().max(1));
    assert_eq!(
        table,
        Table::read("people.csv", data, 1 + data.len() % 7),
        "read in pieces it is another table"
    );
    let Ok(table) = table else { return };
    table.assert_fit_to_be_kept(data.len());
    table.assert_raw_is_in(data);
    if !data.contains(&b'"') && !data.contains(&0x1a) {
        assert_none_vanished(&table, data);
    }
}

/// Each line of a JSON Lines file that says something is a row or an error.
pub(crate) fn jsonl(data: &[u8]) {
    let table = Table::read("people.jsonl", data, data.len().max(1));
    assert_eq!(
        table,
        Table::read("people.jsonl", data, 1 + data.len() % 7),
        "read in pieces it is another table"
    );
    let Ok(table) = table else { return };
    table.assert_fit_to_be_kept(data.len());
    table.assert_raw_is_in(data);
    if !data.contains(&0x1a) {
        assert_none_vanished(&table, data);
    }
}

/// Each physical line with a letter or digit, from the first row on, is a row or an error.
fn assert_none_vanished(table: &Table, data: &[u8]) {
    let text = String::from_utf8_lossy(data).replace("\r\n", "\n").replace('\r', "\n");
    let spoken_of: Vec<u64> = table.lines.iter().map(line_of).collect();
    let Some(first) = spoken_of.first() else { return };
    for (line, text) in (1..).zip(text.split('\n')) {
        let says_something = text.contains(|c: char| c.is_ascii_alphanumeric());
        assert!(
            line < *first || !says_something || spoken_of.contains(&line),
            "line {line} vanished"
        );
    }
}

fn line_of(line: &Line) -> u64 {
    match line {
        Line::Row(row) => row.line,
        Line::Bad(bad) => bad.line,
    }
}

/// All lines and columns of an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) lines: Vec<Line>,
    pub(crate) columns: Vec<String>,
}

impl Table {
    /// Reads an input that comes `step` bytes at a time; the error says why it is refused.
    pub(crate) fn read(name: &str, data: &[u8], step: usize) -> Result<Self, String> {
        let source = Source::File(name.into());
        let pieces = Pieces { rest: data.to_vec(), step };
        let reader = Reader::from_readers(vec![(source, Box::new(pieces))], Options::default());
        let mut reader = reader.map_err(refused)?;
        let lines = reader.by_ref().collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let table = Table { lines, columns: reader.columns() };
        let said = reader.recognised().into_iter().chain(reader.left_out());
        said.for_each(|said| assert_harmless(&said));
        Ok(table)
    }

    /// Each row asks a provider, its identifiers are normal, and all columns can be written out again.
    pub(crate) fn assert_fit_to_be_kept(&self, bytes: usize) {
        let (mut before, mut kept_bytes) = (0, 0);
        for line in &self.lines {
            let at = line_of(line);
            assert!(at > before, "line {at} comes after line {before}");
            before = at;
            let fields = match line {
                Line::Row(row) => {
                    assert!(!row.waterfall.is_empty(), "a row without a provider");
                    row.identifiers.iter().for_each(assert_normal);
                    &row.fields
                }
                Line::Bad(bad) => {
                    assert_harmless(&bad.to_string());
                    &bad.fields
                }
            };
            let texts = kept::texts(fields, &self.columns).expect("fields that can be read back");
            assert_eq!(texts.len(), self.columns.len());
            let object = kept::object(fields, &self.columns).expect("fields that can be read back");
            let object: BTreeMap<String, Box<RawValue>> =
                serde_json::from_str(&object).expect("a JSON object");
            object.values().for_each(|value| assert_readable(value.get()));
            assert!(
                fields.starts_with('{') || object.len() == self.columns.len(),
                "a column vanished"
            );
            kept_bytes += fields.len();
        }
        // A control character takes six bytes in JSON, an empty cell three.
        assert!(
            kept_bytes <= 8 * bytes + 16 * self.lines.len(),
            "{kept_bytes} bytes are kept of {bytes}"
        );
    }

    /// The text that a bad row shows stands in the file.
    fn assert_raw_is_in(&self, data: &[u8]) {
        for line in &self.lines {
            let Line::Bad(bad) = line else { continue };
            let raw = &bad.raw[..];
            assert!(raw.is_empty() || data.windows(raw.len()).any(|part| part == raw), "made up");
        }
    }
}

fn refused(error: InputError) -> String {
    let said = error.to_string();
    assert_harmless(&said);
    said
}

fn assert_normal(identifier: &Identifier) {
    let text = identifier.linkedin_url().unwrap_or_else(|| identifier.value().to_owned());
    assert_eq!(Identifier::parse(identifier.kind(), &text).as_ref(), Ok(identifier));
}

fn assert_readable(value: &str) {
    let is_text = value.starts_with('"');
    assert!(
        !is_text || serde_json::from_str::<String>(value).is_ok(),
        "{value} can't be written out as a text"
    );
}

fn assert_harmless(said: &str) {
    assert!(!said.contains(char::is_control), "{said:?} steers a terminal");
}

/// Gives out its bytes a few at a time, as a slow pipe does.
struct Pieces {
    rest: Vec<u8>,
    step: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.step.min(buffer.len()).min(self.rest.len());
        for (to, from) in buffer.iter_mut().zip(self.rest.drain(..length)) {
            *to = from;
        }
        Ok(length)
    }
}
