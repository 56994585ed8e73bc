use std::str::FromStr;

use export::is_reserved;
use jobs::IdentifierKind;

use super::error::{Names, Refusal};
use super::known_headers::{self, trimmed};

/// `--column linkedin_url="LinkedIn URL"`: the header of a recognised column in this file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMapping {
    /// Which identifier the column holds.
    pub kind: IdentifierKind,
    /// Its header.
    pub header: String,
}

/// A `--column` that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} maps no column; write one of ocean_person_id, clodura_person_id and linkedin_url, \
     an equals sign and the header, as in linkedin_url=\"LinkedIn URL\""
)]
pub struct BadMapping(pub String);

impl FromStr for ColumnMapping {
    type Err = BadMapping;

    fn from_str(text: &str) -> Result<Self, BadMapping> {
        let bad = || BadMapping(text.to_owned());
        let (name, header) = text.split_once('=').ok_or_else(bad)?;
        let kind = IdentifierKind::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(bad)?;
        let header = trimmed(header);
        if header.is_empty() {
            return Err(bad());
        }
        Ok(ColumnMapping { kind, header: header.to_owned() })
    }
}

/// What a column is used for, besides being returned in the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Kept for the export and nothing else.
    Kept,
    /// Kept, and names the person.
    Identifier(IdentifierKind),
    /// Left by an earlier export: dropped.
    Reserved,
}

/// Which header each recognised column has in this input.
#[derive(Debug, Clone)]
pub struct Recognised {
    names: [(IdentifierKind, String); 3],
    mappings: Vec<ColumnMapping>,
}

impl Recognised {
    /// The usual names, except for the columns that are mapped.
    pub fn new(mappings: &[ColumnMapping]) -> Result<Self, Refusal> {
        for (place, mapping) in mappings.iter().enumerate() {
            let clash = mappings[..place].iter().any(|earlier| {
                earlier.kind == mapping.kind || same_name(&earlier.header, &mapping.header)
            });
            if clash {
                return Err(Refusal::ContradictoryColumns(mapping.kind.to_string()));
            }
        }
        let names = IdentifierKind::ALL.map(|kind| {
            let mapped = mappings.iter().find(|mapping| mapping.kind == kind);
            (kind, mapped.map_or_else(|| kind.to_string(), |mapping| mapping.header.clone()))
        });
        Ok(Recognised { names, mappings: mappings.to_vec() })
    }

    /// Returns what the column with this header is used for.
    pub fn role(&self, header: &str) -> Role {
        let header = trimmed(header);
        // A mapping wins over a usual name, so that any column can be mapped.
        if let Some(mapping) = self.mappings.iter().find(|m| same_name(&m.header, header)) {
            return Role::Identifier(mapping.kind);
        }
        if let Some(kind) = known_headers::known(header).filter(|kind| !self.is_mapped(*kind)) {
            return Role::Identifier(kind);
        }
        if is_reserved(header) {
            return Role::Reserved;
        }
        Role::Kept
    }

    /// Whether `--column` says which column this is.
    pub fn is_mapped(&self, kind: IdentifierKind) -> bool {
        self.mappings.iter().any(|mapping| mapping.kind == kind)
    }

    /// Takes over the names that the columns have in the input.
    pub fn adopt<'a>(&mut self, found: impl Iterator<Item = (IdentifierKind, &'a str)>) {
        for (kind, header) in found {
            if let Some((_, name)) = self.names.iter_mut().find(|(known, _)| *known == kind) {
                header.clone_into(name);
            }
        }
    }

    /// The header of the column for `kind`.
    pub fn header(&self, kind: IdentifierKind) -> &str {
        self.names.iter().find(|(known, _)| *known == kind).map_or(kind.as_str(), |(_, name)| name)
    }

    /// Refuses mappings to headers that are not among `found`.
    pub fn check_mappings<'a>(
        &self,
        found: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Refusal> {
        let missing = self
            .mappings
            .iter()
            .find(|mapping| !found.clone().any(|name| same_name(trimmed(name), &mapping.header)));
        let Some(mapping) = missing else { return Ok(()) };
        Err(Refusal::NoSuchColumn {
            column: mapping.kind.as_str(),
            header: mapping.header.clone(),
            found: Names(found.map(str::to_owned).collect()),
        })
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}
