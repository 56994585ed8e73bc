use jobs::IdentifierKind;

use super::columns::{Recognised, Role};
use super::error::{InputError, Names, Refusal};
use super::head::{self, Head};
use super::identifiers::Validator;
use super::input_file::InputFile;
use super::known_headers::{is_preferred, trimmed};
use super::lines::LineEnd;
use super::next_record::{self, Found};

/// Separators, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The columns of a CSV batch.
#[derive(Debug, Clone)]
pub struct Header {
    /// All names, trimmed.
    pub names: Vec<String>,
    /// What each column is.
    pub roles: Vec<Role>,
    /// Where the identifiers are, along [`IdentifierKind::ALL`].
    pub identifiers: [Option<usize>; 3],
}

impl Header {
    /// `address` is the column in which LinkedIn addresses were seen under a header that is not
    /// known for them.
    fn new(
        names: Vec<String>,
        recognised: &Recognised,
        address: Option<usize>,
    ) -> Result<Self, Refusal> {
        let mut roles: Vec<Role> = names.iter().map(|name| recognised.role(name)).collect();
        if let Some(role) = address.and_then(|place| roles.get_mut(place)) {
            *role = Role::Identifier(IdentifierKind::LinkedinUrl);
        }
        let mut identifiers = [None; 3];
        for (kind, place) in IdentifierKind::ALL.into_iter().zip(&mut identifiers) {
            let role = Role::Identifier(kind);
            let preferred =
                (0..roles.len()).find(|n| roles[*n] == role && is_preferred(&names[*n]));
            if let Some(preferred) = preferred.filter(|_| !recognised.is_mapped(kind)) {
                let others = (0..roles.len()).filter(|n| *n != preferred);
                let others: Vec<usize> = others.filter(|n| roles[*n] == role).collect();
                others.into_iter().for_each(|other| roles[other] = Role::Kept);
            }
            let mut places = (0..roles.len()).filter(|n| roles[*n] == role);
            *place = places.next();
            if let (Some(first), Some(second)) = (*place, places.next()) {
                return Err(Refusal::two_columns(kind, &names, first, second));
            }
        }
        Ok(Header { names, roles, identifiers })
    }

    /// The identifiers' columns: which one, its name, and its place from 1.
    pub fn recognised(&self) -> impl Iterator<Item = (IdentifierKind, &str, usize)> {
        let placed = IdentifierKind::ALL.into_iter().zip(self.identifiers);
        placed.filter_map(|(kind, place)| {
            let place = place?;
            Some((kind, self.names.get(place)?.as_str(), place + 1))
        })
    }

    /// The names of the columns that are kept, in order.
    pub fn kept(&self) -> Vec<String> {
        let named = self.names.iter().zip(&self.roles);
        named.filter(|(_, role)| **role != Role::Reserved).map(|(name, _)| name.clone()).collect()
    }

    /// The names of the columns that an earlier export added, in order.
    pub fn left_out(&self) -> Vec<&str> {
        let named = self.names.iter().zip(&self.roles);
        named.filter(|(_, role)| **role == Role::Reserved).map(|(name, _)| name.as_str()).collect()
    }

    /// Refuses a header under which no row could be good, or that lacks a mapped column.
    pub fn check(&self, validator: &Validator) -> Result<(), Refusal> {
        validator.recognised().check_mappings(self.names.iter().map(String::as_str))?;
        let is_there = |kind| self.roles.contains(&Role::Identifier(kind));
        if validator.kinds().into_iter().any(is_there) {
            return Ok(());
        }
        Err(Refusal::NoIdentifier { wanted: validator.headers(), found: Names(self.names.clone()) })
    }

    /// Refuses a file whose header is not that of the first file.
    pub fn check_same(&self, first: &Header, first_file: &InputFile) -> Result<(), Refusal> {
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

/// Reads the header and finds the separator by it: the separator that gives the most recognised columns, or else the
/// most columns. If no column is recognised, the header may be further down.
pub fn read(file: &mut InputFile, recognised: &Recognised) -> Result<Header, InputError> {
    skip_blank_lines(file)?;
    let said = separator_line(file)?;
    skip_blank_lines(file)?;
    if matches!(file.bytes().first(), Some(b'{' | b'[')) {
        return Err(file.refused(Refusal::Json));
    }
    let separators = said.as_ref().map_or(&SEPARATORS[..], std::slice::from_ref);
    let head = match best_guess(file, separators, recognised)? {
        Ok(head) if head.known > 0 => head,
        first => match head::find(file, separators, recognised)? {
            Some(head) => head,
            None => first.map_err(|refusal| file.refused(refusal))?,
        },
    };
    head.above.iter().for_each(|length| file.window.pass(*length));
    let header = Header::new(head.names, recognised, head.address);
    let header = header.map_err(|refusal| file.refused(refusal))?;
    file.separator = head.separator;
    file.header = file.bytes()[..head.end.next].to_vec();
    file.header_line = file.window.line();
    file.window.pass(head.end.next);
    Ok(header)
}

fn skip_blank_lines(file: &mut InputFile) -> Result<(), InputError> {
    while let Some(end) =
        file.first_line()?.filter(|end| next_record::is_blank(&file.bytes()[..end.content], b','))
    {
        file.window.pass(end.next);
    }
    Ok(())
}

/// Excel's `sep=;`, which says what separates the fields below.
fn separator_line(file: &mut InputFile) -> Result<Option<u8>, InputError> {
    let Some(end) = file.first_line()? else { return Ok(None) };
    let line = &file.bytes()[..end.content];
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let separator = match line {
        [s, e, p, b'=', separator, rest @ ..] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            // Some programs fill the line up with separators.
            let rest_says_nothing = rest.iter().all(|byte| byte == separator || *byte == b'"');
            (rest_says_nothing && separator.is_ascii_punctuation() || *separator == b'\t')
                .then_some(*separator)
        }
        _ => None,
    };
    if separator.is_some() {
        file.window.pass(end.next);
    }
    Ok(separator)
}

type Guess = Result<Head, Refusal>;

/// Takes the first record for the header.
fn best_guess(
    file: &mut InputFile,
    separators: &[u8],
    recognised: &Recognised,
) -> Result<Guess, InputError> {
    let mut best: Option<Head> = None;
    let mut fault = None;
    for separator in separators {
        match names_by(file, *separator)? {
            Err(refusal) => fault = fault.or(Some(refusal)),
            Ok((names, end)) => {
                let known = |name: &&String| matches!(recognised.role(name), Role::Identifier(_));
                let known = names.iter().filter(known).count();
                let better = |best: &Head| (known, names.len()) > (best.known, best.names.len());
                if best.as_ref().is_none_or(better) {
                    let (separator, above) = (*separator, Vec::new());
                    best = Some(Head { separator, names, above, end, known, address: None });
                }
            }
        }
    }
    Ok(match (best, fault) {
        (Some(best), None) => Ok(best),
        // A quote that is broken by the right separator may be plain text by a wrong one: without a known column the
        // fault counts.
        (Some(best), Some(_)) if best.known > 0 => Ok(best),
        (_, fault) => Err(fault.unwrap_or(Refusal::Empty)),
    })
}

type NamesAndEnd = Result<(Vec<String>, LineEnd), Refusal>;

fn names_by(file: &mut InputFile, separator: u8) -> Result<NamesAndEnd, InputError> {
    let mut fields = Vec::new();
    let end = match next_record::find(file, separator, &mut fields)? {
        Found::Record(end) => end,
        Found::Broken { error, .. } => return Ok(Err(Refusal::Header(error))),
    };
    Ok(match std::str::from_utf8(&file.bytes()[..end.content]) {
        Ok(text) => Ok((fields.iter().map(|f| trimmed(&f.text(text)).to_owned()).collect(), end)),
        Err(error) => Err(Refusal::HeaderNotUtf8 { byte: error.valid_up_to() + 1 }),
    })
}
