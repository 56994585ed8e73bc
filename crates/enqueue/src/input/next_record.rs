use super::error::{InputError, Refusal, RowError};
use super::input_file::InputFile;
use super::lines::{self, LineEnd};
use super::record::{Field, Scan, scan};

/// What the next record is.
pub enum Found {
    /// Well-formed, and ends here.
    Record(LineEnd),
    /// Broken by the quote that opens here.
    Broken {
        /// The opening quote.
        quote: usize,
        /// How it is broken.
        error: RowError,
    },
}

/// Finds the fields of the next record, reading on as far as it takes.
pub fn find(
    file: &mut InputFile,
    separator: u8,
    fields: &mut Vec<Field>,
) -> Result<Found, InputError> {
    loop {
        let ended = file.window.ended();
        match scan(file.bytes(), separator, ended, fields) {
            Scan::Record(end) => return Ok(Found::Record(end)),
            Scan::More { .. } if !ended && !file.window.is_full() => file.more()?,
            Scan::More { open_quote: Some(quote) } => {
                return Ok(Found::Broken { quote, error: RowError::UnclosedQuote });
            }
            Scan::More { open_quote: None } => return Err(file.refused(Refusal::LineTooLong)),
            Scan::TextAfterQuote { quote, closed } => {
                let line = file.window.line() + lines::line_ends(&file.bytes()[..closed]);
                return Ok(Found::Broken { quote, error: RowError::TextAfterQuote { line } });
            }
        }
    }
}

/// Whether a line is blank. Old programs end a file with Ctrl-Z.
pub fn is_blank(content: &[u8], separator: u8) -> bool {
    content.iter().all(|byte| *byte != separator && matches!(byte, b' ' | b'\t' | 0x1a))
}
