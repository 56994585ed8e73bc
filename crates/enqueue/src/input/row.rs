use std::fmt;
use std::sync::Arc;

use super::error::RowError;
use super::identifiers::{Identifiers, Waterfall};
use jobs::words::harmless;

/// A person to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The place of its file among the sources.
    pub source: usize,
    /// The physical line on which it begins, from 1.
    pub line: u64,
    /// The caller's own columns, compact: from CSV a JSON array along [`Reader::columns`](super::Reader::columns), from
    /// JSON Lines an object, its keys in their order and its values as they were written. Read it
    /// back with [`export::kept`].
    pub fields: String,
    /// The identifiers of the person.
    pub identifiers: Identifiers,
    /// The providers that are asked, in order; never empty.
    pub waterfall: Waterfall,
}

/// A row that can't be enqueued. Displays as `people.csv:17: linkedin_url: is …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The place of its file among the sources.
    pub source: usize,
    /// The file's name as the user gave it.
    pub name: Arc<str>,
    /// The physical line to look at, from 1.
    pub line: u64,
    /// The column to look at.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: RowError,
    /// The record as it is in the file, without the end of its line.
    pub raw: Vec<u8>,
    /// The caller's own columns as [`Row::fields`] has them, as far as the row can be split into cells.
    pub fields: String,
}

impl BadRow {
    /// Column and reason, without file and line.
    #[must_use]
    pub fn message(&self) -> String {
        self.in_column(&self.reason.to_string())
    }

    /// The message without the parts that differ between rows with the same fault.
    #[must_use]
    pub fn in_general(&self) -> String {
        self.in_column(&self.reason.in_general())
    }

    /// Puts the column before a message. A header may hold anything, so characters that could steer a terminal are
    /// left out.
    fn in_column(&self, message: &str) -> String {
        match &self.column {
            Some(column) => format!("{}: {message}", harmless(column)),
            None => message.to_owned(),
        }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", harmless(&self.name), self.line, self.message())
    }
}

/// A record of the input, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A good row.
    Row(Row),
    /// A bad row.
    Bad(BadRow),
}
