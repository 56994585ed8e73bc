//! How the reader reads files, through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::io::Read;
use std::path::{Path, PathBuf};

use enqueue::input::{BadRow, Format, InputError, Line, Options, Reader, Row, Source};
use jobs::{Identifier, Provider};

#[path = "input/cases.rs"]
mod cases;
#[path = "input/csv.rs"]
mod csv_files;
#[path = "input/examples.rs"]
mod examples;
#[path = "input/jsonl.rs"]
mod jsonl_files;
#[path = "input/properties.rs"]
mod properties;
#[path = "input/refusals.rs"]
mod refusals;
#[path = "input/rejected.rs"]
mod rejected;

/// Gives out its bytes a few at a time, as a slow pipe does, so that every boundary is met.
struct Trickle {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.step.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn trickle(bytes: impl Into<Vec<u8>>, step: usize) -> Box<dyn Read + Send> {
    Box::new(Trickle { bytes: bytes.into(), at: 0, step })
}

fn file(name: &str) -> Source {
    Source::File(PathBuf::from(name))
}

fn open(name: &str, bytes: impl Into<Vec<u8>>) -> Result<Reader, InputError> {
    open_with(name, bytes, Options::default())
}

fn open_with(
    name: &str,
    bytes: impl Into<Vec<u8>>,
    options: Options,
) -> Result<Reader, InputError> {
    Reader::from_readers(vec![(file(name), trickle(bytes, 7))], options)
}

fn mapped(columns: &[&str]) -> Options {
    let columns = columns.iter().map(|text| text.parse().expect("a mapping")).collect();
    Options { columns, ..Options::default() }
}

fn asking(providers: &[Provider]) -> Options {
    Options { providers: Some(providers.to_vec()), ..Options::default() }
}

/// The result of a whole input: good rows, and the messages of the bad ones.
#[derive(Debug, Default)]
struct Outcome {
    rows: Vec<Row>,
    bad: Vec<BadRow>,
    columns: Vec<String>,
}

impl Outcome {
    fn of(mut reader: Reader) -> Result<Self, InputError> {
        let mut outcome = Outcome::default();
        for line in reader.by_ref() {
            match line? {
                Line::Row(row) => outcome.rows.push(row),
                Line::Bad(bad) => outcome.bad.push(bad),
            }
        }
        outcome.columns = reader.columns();
        Ok(outcome)
    }

    fn lines(&self) -> Vec<u64> {
        self.rows.iter().map(|row| row.line).collect()
    }

    fn errors(&self) -> Vec<String> {
        self.bad.iter().map(ToString::to_string).collect()
    }

    fn fields(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.fields.as_str()).collect()
    }

    fn people(&self) -> Vec<String> {
        let encoded = |row: &Row| row.identifiers.iter().map(Identifier::encode).collect();
        self.rows.iter().map(encoded).map(|ids: Vec<String>| ids.join(" ")).collect()
    }
}

fn read(name: &str, bytes: impl Into<Vec<u8>>) -> Outcome {
    read_with(name, bytes, Options::default())
}

fn read_with(name: &str, bytes: impl Into<Vec<u8>>, options: Options) -> Outcome {
    open_with(name, bytes, options).and_then(Outcome::of).expect("the input is accepted")
}

fn refusal(result: Result<Reader, InputError>) -> String {
    match result.and_then(Outcome::of) {
        Ok(outcome) => panic!("accepted: {outcome:?}"),
        Err(error) => error.to_string(),
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

fn format_of(name: &str, bytes: &str) -> Format {
    open(name, bytes).expect("the input is accepted").format()
}
