//! What is wrong with a single row.

use jobs::Provider;
use jobs::person::IdentifierError;

use super::names::Names;

/// Why a row is bad, for the person who filled the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Too many or too few fields.
    #[error("the header has {expected} fields, this row {found}")]
    FieldCount {
        /// The header's number.
        expected: usize,
        /// The row's.
        found: usize,
    },
    /// A quote that is not closed before the file ends, or within the longest record.
    #[error("the quote that opens here never ends (a quote inside of quotes is written twice)")]
    UnclosedQuote,
    /// A quote that is closed in mid-field.
    #[error(
        "the quote that opens here is closed on line {line} before the field ends \
         (a quote inside of quotes is written twice)"
    )]
    TextAfterQuote {
        /// Where it is closed.
        line: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("not UTF-8: byte {byte} of line {line} (0x{value:02X}); save the file as UTF-8")]
    NotUtf8 {
        /// The physical line of the byte.
        line: u64,
        /// Its place there, from 1.
        byte: usize,
        /// The byte.
        value: u8,
    },
    /// No JSON.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// JSON, but no object.
    #[error("a JSON object is expected on each line")]
    NotAnObject,
    /// A key twice in one object.
    #[error("the key {0:?} occurs twice in the object")]
    DuplicateKey(String),
    /// An identifier that is neither text nor a whole number.
    #[error("must be text or a whole number")]
    NotText,
    /// An identifier that can't be read.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// The header once more, as where files were joined.
    #[error("this is the header once more, not a person; delete the line")]
    RepeatedHeader,
    /// A line that reports have below their table.
    #[error(
        "looks like a report's footer or a note, not a person; delete the lines below the table"
    )]
    Footer,
    /// The only identifier is an address that can't be looked up.
    #[error(
        "is a member id (ACo…), which {provider} can't look up; write the address that the profile itself shows, as in linkedin.com/in/ada-lovelace"
    )]
    MemberId {
        /// The provider that looks people up.
        provider: Provider,
    },
    /// No identifier by which any chosen provider could be asked.
    #[error("no identifier for {}: {empty} {} empty", either(.providers), is_or_are(.empty))]
    NoIdentifier {
        /// The providers that were chosen.
        providers: Vec<Provider>,
        /// The columns that could name the person.
        empty: Names,
    },
}

fn either(providers: &[Provider]) -> String {
    providers.iter().map(|provider| provider.as_str()).collect::<Vec<_>>().join(" or ")
}

fn is_or_are(names: &Names) -> &'static str {
    if names.0.len() == 1 { "is" } else { "are" }
}

impl RowError {
    /// The error without the parts that differ from row to row, so that equal errors can be counted.
    #[must_use]
    pub fn in_general(&self) -> String {
        match self {
            RowError::NotUtf8 { .. } => "not UTF-8; save the file as UTF-8".to_owned(),
            RowError::Json(_) => "not valid JSON".to_owned(),
            RowError::TextAfterQuote { .. } => {
                "the quote that opens here is closed before the field ends \
                 (a quote inside of quotes is written twice)"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }
}
