use std::borrow::Cow;
use std::ops::Deref;

use jobs::{Identifier, IdentifierKind, Provider};

use super::columns::Recognised;
use super::error::{Names, RowError};

/// The identifiers on one row: at most one of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// Ocean's id.
    pub ocean: Option<Identifier>,
    /// Clodura's id.
    pub clodura: Option<Identifier>,
    /// The LinkedIn profile.
    pub linkedin: Option<Identifier>,
}

impl Identifiers {
    /// The identifier of this kind.
    #[must_use]
    pub fn get(&self, kind: IdentifierKind) -> Option<&Identifier> {
        match kind {
            IdentifierKind::OceanPersonId => self.ocean.as_ref(),
            IdentifierKind::CloduraPersonId => self.clodura.as_ref(),
            IdentifierKind::LinkedinUrl => self.linkedin.as_ref(),
        }
    }

    fn slot(&mut self, kind: IdentifierKind) -> &mut Option<Identifier> {
        match kind {
            IdentifierKind::OceanPersonId => &mut self.ocean,
            IdentifierKind::CloduraPersonId => &mut self.clodura,
            IdentifierKind::LinkedinUrl => &mut self.linkedin,
        }
    }

    /// All there are, Ocean's first.
    pub fn iter(&self) -> impl Iterator<Item = &Identifier> {
        [&self.ocean, &self.clodura, &self.linkedin].into_iter().flatten()
    }

    /// The best identifier by which this provider can be asked.
    #[must_use]
    pub fn for_provider(&self, provider: Provider) -> Option<&Identifier> {
        provider.asks_by().iter().find_map(|kind| self.get(*kind))
    }
}

/// The providers that a row asks, in order, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waterfall {
    steps: [Provider; Provider::ALL.len()],
    length: usize,
}

impl Waterfall {
    /// Those of `providers` for which the row has an identifier.
    #[must_use]
    pub fn of(identifiers: &Identifiers, providers: &[Provider]) -> Self {
        let mut waterfall = Waterfall { steps: Provider::ALL, length: 0 };
        for &provider in providers {
            if identifiers.for_provider(provider).is_some() && !waterfall.contains(&provider) {
                waterfall.steps[waterfall.length] = provider;
                waterfall.length += 1;
            }
        }
        waterfall
    }
}

impl Deref for Waterfall {
    type Target = [Provider];

    fn deref(&self) -> &[Provider] {
        &self.steps[..self.length]
    }
}

/// The texts in a row's recognised columns, by the place of the kind in [`IdentifierKind::ALL`].
pub type Texts<'a> = [Option<Cow<'a, str>>; 3];

/// Reads the identifiers of rows, and sees whom they ask.
#[derive(Debug, Clone)]
pub struct Judge {
    providers: Vec<Provider>,
    recognised: Recognised,
}

/// A row's fault, and the column it is in.
pub type Fault = (Option<String>, RowError);

impl Judge {
    /// A judge for the providers chosen by the user; all of them where none were.
    pub fn new(providers: Option<Vec<Provider>>, recognised: Recognised) -> Self {
        Judge { providers: providers.unwrap_or_else(|| Provider::ALL.to_vec()), recognised }
    }

    /// The providers that may be asked.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Which columns hold identifiers.
    pub fn recognised(&self) -> &Recognised {
        &self.recognised
    }

    /// Takes over the names that the columns have in the input.
    pub fn adopt<'a>(&mut self, found: impl Iterator<Item = (IdentifierKind, &'a str)>) {
        self.recognised.adopt(found);
    }

    /// One unreadable identifier makes the whole row bad, even beside a good one: the row would
    /// silently be asked elsewhere, or for less, than its author meant.
    pub fn identify(&self, texts: &Texts<'_>) -> Result<(Identifiers, Waterfall), Fault> {
        let mut identifiers = Identifiers::default();
        for (kind, text) in IdentifierKind::ALL.into_iter().zip(texts) {
            let Some(text) = text else { continue };
            if self.is_header(kind, text) {
                return Err((None, RowError::RepeatedHeader));
            }
            match Identifier::parse(kind, text) {
                Ok(identifier) => *identifiers.slot(kind) = Some(identifier),
                Err(error) if error.is_absent() => {}
                Err(error) => return Err((Some(kind.to_string()), error.into())),
            }
        }
        let waterfall = Waterfall::of(&identifiers, &self.providers);
        if waterfall.is_empty() {
            return Err((None, self.nobody(texts)));
        }
        Ok((identifiers, waterfall))
    }

    fn is_header(&self, kind: IdentifierKind, text: &str) -> bool {
        let header = self.recognised.header(kind);
        // Comparing lengths first spares nearly all rows the rest.
        (text.len() == header.len() && text.eq_ignore_ascii_case(header))
            || text.eq_ignore_ascii_case(kind.as_str())
    }

    /// Names the columns that are there but empty; where there are none, those that could be.
    fn nobody(&self, texts: &Texts<'_>) -> RowError {
        let asked_by = |kind| self.providers.iter().any(|p| p.asks_by().contains(&kind));
        let kinds = IdentifierKind::ALL.into_iter().zip(texts).filter(|(kind, _)| asked_by(*kind));
        let present = kinds.filter(|(_, text)| text.is_some()).map(|(kind, _)| kind);
        let present: Vec<_> = present.map(|kind| self.recognised.header(kind).to_owned()).collect();
        let empty = if present.is_empty() {
            self.recognised.headers_for(&self.providers)
        } else {
            Names(present)
        };
        RowError::NoIdentifier { providers: self.providers.clone(), empty }
    }
}
