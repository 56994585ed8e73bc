use std::borrow::Cow;

use jobs::IdentifierKind;

use super::columns::{Recognised, Role};
use super::error::{InputError, Names, Refusal, RowError};
use super::identifiers::{Judge, Texts};
use super::kept;
use super::lines::{self, LineEnd};
use super::opened::Opened;
use super::record::{Field, Scan, scan};
use super::{BadRow, Line, Row};

/// Separators, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The columns of a CSV batch.
#[derive(Debug, Clone)]
pub struct Header {
    /// All names, trimmed, as the file has them.
    names: Vec<String>,
    roles: Vec<Role>,
    /// The place of each kind in [`IdentifierKind::ALL`].
    identifiers: [Option<usize>; 3],
}

impl Header {
    fn new(names: Vec<String>, recognised: &Recognised) -> Result<Self, Refusal> {
        let roles: Vec<Role> = names.iter().map(|name| recognised.role(name)).collect();
        let mut identifiers = [None; 3];
        for (kind, place) in IdentifierKind::ALL.into_iter().zip(&mut identifiers) {
            let mut places = (0..roles.len()).filter(|n| roles[*n] == Role::Identifier(kind));
            *place = places.next();
            if let (Some(first), Some(second)) = (*place, places.next()) {
                let column = kind.as_str();
                return Err(Refusal::TwoColumns { column, first: first + 1, second: second + 1 });
            }
        }
        Ok(Header { names, roles, identifiers })
    }

    /// The names of the columns that are kept, in order.
    pub fn kept(&self) -> Vec<String> {
        let named = self.names.iter().zip(&self.roles);
        named.filter(|(_, role)| **role != Role::Reserved).map(|(name, _)| name.clone()).collect()
    }

    /// Refuses a header under which no row could be good, or that lacks a mapped column.
    pub fn check(&self, judge: &Judge) -> Result<(), Refusal> {
        judge.recognised().check_mappings(self.names.iter().map(String::as_str))?;
        let of_chosen = judge.providers().iter().flat_map(|provider| provider.asks_by());
        let mut places = of_chosen.filter(|kind| self.roles.contains(&Role::Identifier(**kind)));
        if places.next().is_some() {
            return Ok(());
        }
        Err(Refusal::NoIdentifier {
            wanted: judge.recognised().headers_for(judge.providers()),
            found: Names(self.names.clone()),
        })
    }

    /// Refuses a file whose header is not that of the first.
    pub fn check_same(&self, first: &Header, first_file: &Opened) -> Result<(), Refusal> {
        let length = self.names.len().max(first.names.len());
        let name = |header: &Header, place: usize| match header.names.get(place) {
            Some(name) => format!("{name:?}"),
            None => "missing".to_owned(),
        };
        let differing = (0..length).find(|n| self.names.get(*n) != first.names.get(*n));
        differing.map_or(Ok(()), |place| {
            Err(Refusal::OtherHeader {
                first_file: first_file.name.clone(),
                place: place + 1,
                here: name(self, place),
                there: name(first, place),
            })
        })
    }
}

/// Reads the header and sees by it what separates the fields: what makes the most recognised
/// columns, else the most columns.
pub fn read_header(file: &mut Opened, recognised: &Recognised) -> Result<Header, InputError> {
    while let Some(end) =
        file.first_line()?.filter(|end| is_blank(&file.bytes()[..end.content], b','))
    {
        file.window.pass(end.next);
    }
    if matches!(file.bytes().first(), Some(b'{' | b'[')) {
        return Err(file.refused(Refusal::Json));
    }
    let (separator, names, end) = best_guess(file, recognised)?;
    let header = Header::new(names, recognised).map_err(|refusal| file.refused(refusal))?;
    file.separator = separator;
    file.header = file.bytes()[..end.next].to_vec();
    file.window.pass(end.next);
    Ok(header)
}

fn best_guess(
    file: &mut Opened,
    recognised: &Recognised,
) -> Result<(u8, Vec<String>, LineEnd), InputError> {
    let mut best = None;
    let mut best_rank = (0, 0);
    let mut fault = None;
    for separator in SEPARATORS {
        match header_with(file, separator)? {
            Err(refusal) => fault = fault.or(Some(refusal)),
            Ok((names, end)) => {
                let known = |name: &&String| matches!(recognised.role(name), Role::Identifier(_));
                let rank = (names.iter().filter(known).count(), names.len());
                if rank > best_rank {
                    best_rank = rank;
                    best = Some((separator, names, end));
                }
            }
        }
    }
    match (best, fault) {
        (Some(best), None) => Ok(best),
        // Quotes that are broken by one separator are just text by the wrong ones.
        (Some(best), Some(_)) if best_rank.0 > 0 => Ok(best),
        (_, fault) => Err(file.refused(fault.unwrap_or(Refusal::Empty))),
    }
}

type HeaderNames = Result<(Vec<String>, LineEnd), Refusal>;

fn header_with(file: &mut Opened, separator: u8) -> Result<HeaderNames, InputError> {
    let mut fields = Vec::new();
    loop {
        let ended = file.window.ended();
        let fault = match scan(file.bytes(), separator, ended, &mut fields) {
            Scan::Record { content, next } => {
                let names = match std::str::from_utf8(&file.bytes()[..content]) {
                    Ok(text) => fields.iter().map(|f| f.text(text).trim().to_owned()).collect(),
                    Err(error) => {
                        return Ok(Err(Refusal::HeaderNotUtf8 { byte: error.valid_up_to() + 1 }));
                    }
                };
                return Ok(Ok((names, LineEnd { content, next })));
            }
            Scan::More { .. } if !ended && !file.window.is_full() => {
                file.more()?;
                continue;
            }
            Scan::More { open_quote: Some(_) } => RowError::UnclosedQuote,
            Scan::More { open_quote: None } => return Ok(Err(Refusal::LineTooLong)),
            Scan::TextAfterQuote { closed, .. } => {
                let line = file.window.line() + lines::line_ends(&file.bytes()[..closed]);
                RowError::TextAfterQuote { line }
            }
        };
        return Ok(Err(Refusal::Header(fault)));
    }
}

/// Reads the next row. None at the end of the file.
pub fn next(
    file: &mut Opened,
    header: &Header,
    judge: &Judge,
    fields: &mut Vec<Field>,
) -> Result<Option<Line>, InputError> {
    loop {
        let ended = file.window.ended();
        if ended && file.bytes().is_empty() {
            return Ok(None);
        }
        match scan(file.bytes(), file.separator, ended, fields) {
            Scan::Record { content, next } => {
                let blank = is_blank(&file.bytes()[..content], file.separator);
                let line = (!blank).then(|| row(file, content, header, judge, fields));
                file.window.pass(next);
                if line.is_some() {
                    return Ok(line);
                }
            }
            Scan::More { .. } if !ended && !file.window.is_full() => file.more()?,
            Scan::More { open_quote: Some(quote) } => {
                return broken(file, header, fields.len(), quote, RowError::UnclosedQuote)
                    .map(Some);
            }
            Scan::More { open_quote: None } => return Err(file.refused(Refusal::LineTooLong)),
            Scan::TextAfterQuote { quote, closed } => {
                let line = file.window.line() + lines::line_ends(&file.bytes()[..closed]);
                let error = RowError::TextAfterQuote { line };
                return broken(file, header, fields.len(), quote, error).map(Some);
            }
        }
    }
}

/// Reports a quote at the line where it opens and goes on with the line after that, so that one
/// lost quote costs one row and not the rest of the file.
fn broken(
    file: &mut Opened,
    header: &Header,
    field: usize,
    quote: usize,
    error: RowError,
) -> Result<Line, InputError> {
    let end = loop {
        match lines::line_end(file.bytes(), quote, file.window.ended()) {
            Some(end) => break end,
            None if file.window.is_full() => return Err(file.refused(Refusal::LineTooLong)),
            None => file.more()?,
        }
    };
    let bytes = file.bytes();
    let line = file.window.line() + lines::line_ends(&bytes[..quote]);
    let column = header.names.get(field).cloned();
    let bad = BadRow { line, ..file.bad(column, error, &bytes[..end.content]) };
    file.window.pass(end.next);
    Ok(Line::Bad(bad))
}

fn row(file: &Opened, content: usize, header: &Header, judge: &Judge, fields: &[Field]) -> Line {
    let raw = &file.bytes()[..content];
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(error) => return Line::Bad(file.not_utf8(raw, error.valid_up_to())),
    };
    if fields.len() != header.names.len() {
        let (expected, found) = (header.names.len(), fields.len());
        return Line::Bad(file.bad(None, RowError::FieldCount { expected, found }, raw));
    }
    let texts: Texts<'_> = header.identifiers.map(|at| at.map(|at| fields[at].text(text)));
    match judge.identify(&texts) {
        Ok((identifiers, waterfall)) => Line::Row(Row {
            source: file.place,
            line: file.window.line(),
            fields: array(text, fields, header),
            identifiers,
            waterfall,
        }),
        Err((column, error)) => Line::Bad(file.bad(column, error, raw)),
    }
}

/// The kept fields as a compact JSON array.
fn array(text: &str, fields: &[Field], header: &Header) -> String {
    let mut out = String::with_capacity(text.len() + 3 * fields.len() + 2);
    out.push('[');
    for (field, role) in fields.iter().zip(&header.roles) {
        if *role == Role::Reserved {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        let value: Cow<'_, str> = field.text(text);
        kept::push_string(&mut out, &value);
    }
    out.push(']');
    out
}

fn is_blank(content: &[u8], separator: u8) -> bool {
    content.iter().all(|byte| *byte != separator && matches!(byte, b' ' | b'\t'))
}
