/// Names of columns in a message.
mod names;
/// What is wrong with a single row.
mod row_error;

use std::io;
use std::sync::Arc;

use jobs::IdentifierKind;
use jobs::words::harmless;

pub use self::names::Names;
pub use self::row_error::RowError;

/// Why a whole input is refused or can't be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file can't be opened or read.
    #[error("{name}: {error}")]
    Unreadable {
        /// The file's absolute path, or its name once it is open.
        name: Arc<str>,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The file is not what it has to be.
    #[error("{name}:{line}: {refusal}")]
    Refused {
        /// The file, as the user named it.
        name: Arc<str>,
        /// The physical line.
        line: u64,
        /// What is wrong, and what to do.
        refusal: Refusal,
    },
}

impl InputError {
    /// Whether the content is at fault (and not the file system).
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, InputError::Refused { .. })
    }
}

/// What is wrong with a whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file has only blank lines.
    #[error("the file is empty; a header line and a line for each person are expected")]
    Empty,
    /// UTF-16, as Excel's 'Unicode text'.
    #[error("the file is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)")]
    Utf16,
    /// A web page, a document or an archive.
    #[error("the file is {0}; save the table as .xlsx or CSV (UTF-8)")]
    Binary(&'static str),
    /// The header is not UTF-8.
    #[error("the header is not UTF-8 at byte {byte}; save the file as UTF-8")]
    HeaderNotUtf8 {
        /// From 1.
        byte: usize,
    },
    /// JSON where CSV is expected.
    #[error(
        "the file looks like JSON; give it the name .jsonl or say --format jsonl, \
         with one object a line (from an array: jq -c '.[]')"
    )]
    Json,
    /// A quote in the header that never ends, or text after one.
    #[error("the header can't be read: {0}")]
    Header(RowError),
    /// None of the columns that identify people.
    #[error(
        "no column identifies people: {wanted} expected, {found} found; \
         say which it is, as in --column linkedin_url=\"LinkedIn URL\""
    )]
    NoIdentifier {
        /// The recognised columns.
        wanted: Names,
        /// The header's columns.
        found: Names,
    },
    /// Two columns for one kind of identifier, of one name.
    #[error(
        "two columns are {column}: columns {first} and {second} of the header; rename one of them"
    )]
    TwoColumns {
        /// The identifier's name.
        column: &'static str,
        /// The place of the first, from 1.
        first: usize,
        /// The place of the second, from 1.
        second: usize,
    },
    /// Two columns for one kind of identifier, of different names.
    #[error(
        "two columns could be {}: {first:?} and {second:?}; choose one: {} or {}",
        kind, flag(*kind, first), flag(*kind, second)
    )]
    Ambiguous {
        /// The kind.
        kind: IdentifierKind,
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
    },
    /// `--sheet` names a sheet that is not there.
    #[error("there is no sheet {sheet:?}; there are {found}")]
    NoSuchSheet {
        /// The name as given.
        sheet: String,
        /// The workbook's sheets.
        found: Names,
    },
    /// `--sheet` for a file that is no workbook.
    #[error("--sheet is for .xlsx workbooks, and this file is none")]
    NoWorkbook,
    /// A workbook that can't be read.
    #[error(
        "the workbook can't be read ({0}); open it in Excel and save it again, or save the table as CSV"
    )]
    Workbook(String),
    /// `--column` names a header that is not there.
    #[error("--column {column}={header:?}: there is no such column; there are {found}")]
    NoSuchColumn {
        /// The identifier's name.
        column: &'static str,
        /// The header as given.
        header: String,
        /// The header's columns.
        found: Names,
    },
    /// `--column` says two things about one name.
    #[error("--column {0} is given twice, or for two columns at once")]
    ContradictoryColumns(String),
    /// A file's header is not that of the first file.
    #[error(
        "the header is not that of {first_file}: column {place} is {here} here and {there} there; \
         files of one batch have the same header"
    )]
    OtherHeader {
        /// The first file.
        first_file: Arc<str>,
        /// The place of the first difference, from 1.
        place: usize,
        /// The name in this file.
        here: String,
        /// The name in the first file.
        there: String,
    },
    /// CSV and JSON Lines in one batch.
    #[error("the files of one batch are either all CSV or all JSON Lines")]
    MixedFormats,
    /// A line of a suppression list.
    #[error("the line {0}; nothing was read")]
    NoList(&'static str),
    /// A physical line longer than any table has.
    #[error("the line is longer than {} MiB; that is no table", super::lines::LONGEST_RECORD >> 20)]
    LineTooLong,
}

impl Refusal {
    /// Two columns of a header that could be `kind`, by their places from 0.
    pub(super) fn two_columns(
        kind: IdentifierKind,
        names: &[String],
        first: usize,
        second: usize,
    ) -> Self {
        let name = |place: usize| names.get(place).cloned().unwrap_or_default();
        if name(first).to_lowercase() == name(second).to_lowercase() {
            return Refusal::TwoColumns {
                column: kind.as_str(),
                first: first + 1,
                second: second + 1,
            };
        }
        Refusal::Ambiguous { kind, first: name(first), second: name(second) }
    }
}

/// The flag that maps a column, as it is typed in a shell.
fn flag(kind: IdentifierKind, header: &str) -> String {
    let header = harmless(header);
    let header = if header.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", header.replace('\'', "'\\''"))
    } else {
        format!("\"{header}\"")
    };
    format!("--column {kind}={header}")
}
