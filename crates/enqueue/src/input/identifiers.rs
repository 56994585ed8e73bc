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

    /// The row's identifiers, Ocean's first.
    pub fn iter(&self) -> impl Iterator<Item = &Identifier> {
        [&self.ocean, &self.clodura, &self.linkedin].into_iter().flatten()
    }

    /// Returns the best identifier by which this provider can be asked. At the provider `lookup`, that may be a
    /// LinkedIn address whose id is looked up first.
    #[must_use]
    pub fn for_provider(
        &self,
        provider: Provider,
        lookup: Option<Provider>,
    ) -> Option<&Identifier> {
        let own = provider.asks_by().iter().find_map(|kind| self.get(*kind));
        let looked_up = self
            .linkedin
            .as_ref()
            .filter(|address| lookup == Some(provider) && address.vanity_handle().is_some());
        own.or(looked_up)
    }
}

/// The providers that a row asks, in order, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waterfall {
    steps: [Provider; Provider::ALL.len()],
    length: usize,
}

impl Waterfall {
    /// The providers among `providers` for which the row has an identifier.
    #[must_use]
    pub fn of(identifiers: &Identifiers, providers: &[Provider], lookup: Option<Provider>) -> Self {
        let mut waterfall = Waterfall { steps: Provider::ALL, length: 0 };
        for &provider in providers {
            if identifiers.for_provider(provider, lookup).is_some()
                && !waterfall.contains(&provider)
            {
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

/// Reads the identifiers of rows, and decides which providers they ask.
#[derive(Debug, Clone)]
pub struct Validator {
    providers: Vec<Provider>,
    /// Where LinkedIn addresses are looked up, if anywhere.
    lookup: Option<Provider>,
    recognised: Recognised,
}

/// A row's fault, and the column it is in.
pub type Fault = (Option<String>, RowError);

impl Validator {
    /// A validator for the providers that the user chose, or for all of them.
    pub fn new(
        providers: Option<Vec<Provider>>,
        lookup: Option<Provider>,
        recognised: Recognised,
    ) -> Self {
        let providers = providers.unwrap_or_else(|| Provider::ALL.to_vec());
        Validator { providers, lookup, recognised }
    }

    /// The kinds of identifiers by which the chosen providers can be asked, each once.
    pub fn kinds(&self) -> Vec<IdentifierKind> {
        let mut kinds: Vec<IdentifierKind> = Vec::new();
        for provider in &self.providers {
            let looked_up = (self.lookup == Some(*provider)).then_some(IdentifierKind::LinkedinUrl);
            for kind in provider.asks_by().iter().copied().chain(looked_up) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        kinds
    }

    /// The headers by which the chosen providers could be asked.
    pub fn headers(&self) -> Names {
        Names(
            self.kinds().into_iter().map(|kind| self.recognised.header(kind).to_owned()).collect(),
        )
    }

    /// Which columns hold identifiers.
    pub fn recognised(&self) -> &Recognised {
        &self.recognised
    }

    /// Takes over the names that the columns have in the input.
    pub fn adopt<'a>(&mut self, found: impl Iterator<Item = (IdentifierKind, &'a str)>) {
        self.recognised.adopt(found);
    }

    /// Reads a row's identifiers. One unreadable identifier makes the whole row bad, even if another one is good:
    /// otherwise the row would silently be asked elsewhere, or for less, than its author meant.
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
        let waterfall = Waterfall::of(&identifiers, &self.providers, self.lookup);
        if waterfall.is_empty() {
            let address = identifiers.linkedin.as_ref();
            if let Some(provider) = self.lookup.filter(|_| address.is_some()) {
                let kind = IdentifierKind::LinkedinUrl.to_string();
                return Err((Some(kind), RowError::MemberId { provider }));
            }
            return Err((None, self.no_identifier(texts)));
        }
        Ok((identifiers, waterfall))
    }

    fn is_header(&self, kind: IdentifierKind, text: &str) -> bool {
        let header = self.recognised.header(kind);
        // Comparing lengths first spares nearly all rows the rest.
        (text.len() == header.len() && text.eq_ignore_ascii_case(header))
            || text.eq_ignore_ascii_case(kind.as_str())
    }

    /// Returns the error of a row without identifiers. It names the columns that are there but empty, or else the
    /// columns that could hold identifiers.
    fn no_identifier(&self, texts: &Texts<'_>) -> RowError {
        let asked_by = self.kinds();
        let kinds = IdentifierKind::ALL.into_iter().zip(texts);
        let kinds = kinds.filter(|(kind, _)| asked_by.contains(kind));
        let present = kinds.filter(|(_, text)| text.is_some()).map(|(kind, _)| kind);
        let present: Vec<_> = present.map(|kind| self.recognised.header(kind).to_owned()).collect();
        let empty = if present.is_empty() { self.headers() } else { Names(present) };
        RowError::NoIdentifier { providers: self.providers.clone(), empty }
    }
}
