use jobs::IdentifierKind;

use super::columns::{Recognised, Role};
use super::csv::{self, Found};
use super::error::{InputError, Names, Refusal};
use super::identifiers::Judge;
use super::lines::LineEnd;
use super::opened::Opened;

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
pub fn read(file: &mut Opened, recognised: &Recognised) -> Result<Header, InputError> {
    while let Some(end) =
        file.first_line()?.filter(|end| csv::is_blank(&file.bytes()[..end.content], b','))
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
        match names_by(file, separator)? {
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

type NamesAndEnd = Result<(Vec<String>, LineEnd), Refusal>;

fn names_by(file: &mut Opened, separator: u8) -> Result<NamesAndEnd, InputError> {
    let mut fields = Vec::new();
    let end = match csv::find(file, separator, &mut fields)? {
        Found::Record(end) => end,
        Found::Broken { error, .. } => return Ok(Err(Refusal::Header(error))),
    };
    Ok(match std::str::from_utf8(&file.bytes()[..end.content]) {
        Ok(text) => Ok((fields.iter().map(|f| f.text(text).trim().to_owned()).collect(), end)),
        Err(error) => Err(Refusal::HeaderNotUtf8 { byte: error.valid_up_to() + 1 }),
    })
}
