use std::borrow::Cow;

use super::columns::Role;
use super::error::{InputError, Refusal, RowError};
use super::header::Header;
use super::identifiers::{Judge, Texts};
use super::lines::{self, LineEnd};
use super::opened::Opened;
use super::record::{Field, Scan, scan};
use super::{BadRow, Line, Row};
use export::kept;

/// Reads the next row. None at the end of the file.
pub fn next(
    file: &mut Opened,
    header: &Header,
    judge: &Judge,
    fields: &mut Vec<Field>,
) -> Result<Option<Line>, InputError> {
    while !(file.window.ended() && file.bytes().is_empty()) {
        let end = match find(file, file.separator, fields)? {
            Found::Record(end) => end,
            Found::Broken { quote, error } => {
                let column = header.names.get(fields.len()).cloned();
                let bad = broken(file, column, quote, error)?;
                let fields = in_one_cell(&bad.raw, header);
                return Ok(Some(Line::Bad(BadRow { fields, ..bad })));
            }
        };
        let record = &file.bytes()[..end.content];
        let blank = is_blank(record, file.separator) || fields.iter().all(|f| f.is_blank(record));
        let line = (!blank).then(|| row(file, end.content, header, judge, fields));
        file.window.pass(end.next);
        if line.is_some() {
            return Ok(line);
        }
    }
    Ok(None)
}

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
    file: &mut Opened,
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

/// Reports a quote at the line where it opens and goes on with the line after that, so that one
/// lost quote costs one row and not the rest of the file.
fn broken(
    file: &mut Opened,
    column: Option<String>,
    quote: usize,
    error: RowError,
) -> Result<BadRow, InputError> {
    let end = loop {
        match lines::line_end(file.bytes(), quote, file.window.ended()) {
            Some(end) => break end,
            None if file.window.is_full() => return Err(file.refused(Refusal::LineTooLong)),
            None => file.more()?,
        }
    };
    let bytes = file.bytes();
    let line = file.window.line() + lines::line_ends(&bytes[..quote]);
    let bad = BadRow { line, ..file.bad(column, error, &bytes[..end.content]) };
    file.window.pass(end.next);
    Ok(bad)
}

fn row(file: &Opened, content: usize, header: &Header, judge: &Judge, fields: &[Field]) -> Line {
    let raw = &file.bytes()[..content];
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(error) => {
            let bad = file.not_utf8(raw, error.valid_up_to());
            return Line::Bad(BadRow { fields: in_one_cell(raw, header), ..bad });
        }
    };
    let bad = |column, error| {
        let fields = array(text, fields, header);
        Line::Bad(BadRow { fields, ..file.bad(column, error, raw) })
    };
    let (expected, found) = (header.names.len(), fields.len());
    // Spreadsheets leave empty cells out at the end of a row, and put some there that no header has.
    if fields.iter().skip(expected).any(|field| !field.is_blank(raw)) {
        return bad(None, RowError::FieldCount { expected, found });
    }
    let text_at = |at: usize| fields.get(at).map_or(Cow::Borrowed(""), |field| field.text(text));
    let texts: Texts<'_> = header.identifiers.map(|at| at.map(text_at));
    match judge.identify(&texts) {
        Ok((identifiers, waterfall)) => Line::Row(Row {
            source: file.place,
            line: file.window.line(),
            fields: array(text, fields, header),
            identifiers,
            waterfall,
        }),
        Err((None, RowError::NoIdentifier { .. })) if is_footer(text, fields, expected) => {
            bad(None, RowError::Footer)
        }
        Err((column, error)) => bad(column, error),
    }
}

/// Whether a row without identifiers is one that reports have below their table.
fn is_footer(text: &str, fields: &[Field], columns: usize) -> bool {
    const WORDS: [&str; 8] = [
        "copyright",
        "©",
        "confidential",
        "generated by",
        "grand total",
        "subtotal",
        "total",
        "report",
    ];
    let Some(first) = fields.first() else { return false };
    let first = first.text(text).trim().to_lowercase();
    (fields.len() == 1 && columns > 1) || WORDS.iter().any(|word| first.starts_with(word))
}

/// The kept fields as a compact JSON array.
fn array(text: &str, fields: &[Field], header: &Header) -> String {
    let mut out = String::with_capacity(text.len() + 3 * fields.len() + 2);
    out.push('[');
    for (place, role) in header.roles.iter().enumerate() {
        if *role == Role::Reserved {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        match fields.get(place) {
            Some(field) => kept::push_string(&mut out, &field.text(text)),
            None => out.push_str("\"\""),
        }
    }
    out.push(']');
    out
}

/// A record whose cells can't be told apart, in the first of the kept columns.
fn in_one_cell(raw: &[u8], header: &Header) -> String {
    let mut cells = vec![String::from_utf8_lossy(raw)];
    cells.resize(header.kept().len().max(1), Cow::Borrowed(""));
    let mut out = String::from("[");
    for cell in cells {
        if out.len() > 1 {
            out.push(',');
        }
        kept::push_string(&mut out, &cell);
    }
    out.push(']');
    out
}

/// Whether a line says nothing. Old programs end a file with Ctrl-Z.
pub fn is_blank(content: &[u8], separator: u8) -> bool {
    content.iter().all(|byte| *byte != separator && matches!(byte, b' ' | b'\t' | 0x1a))
}
