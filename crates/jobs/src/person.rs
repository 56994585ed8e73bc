use std::fmt;

use serde::{Deserialize, Serialize};

/// Which kind of identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IdentifierKind {
    /// Ocean's id of a person.
    OceanPersonId,
    /// Clodura's id of a person.
    CloduraPersonId,
    /// A standard LinkedIn profile address.
    LinkedinUrl,
}

/// A person's identifier in its one normal form, so that two ways of writing it compare equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identifier {
    kind: IdentifierKind,
    value: String,
}

/// Why a text is no identifier; written for the person who fills the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
}

impl Identifier {
    /// Reads an identifier of the given kind.
    ///
    /// # Errors
    /// Text that can't be one.
    pub fn parse(kind: IdentifierKind, text: &str) -> Result<Self, IdentifierError> {
        let value = text.trim();
        if value.is_empty() {
            return Err(IdentifierError::Empty);
        }
        Ok(Identifier { kind, value: value.to_owned() })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The value as the provider wants it: an id, or for LinkedIn the profile's slug.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The one text under which the ledger keeps it: `ocean:p1`, `clodura:2751`,
    /// `linkedin.com/in/brad-dickey`.
    #[must_use]
    pub fn encode(&self) -> String {
        let prefix = match self.kind {
            IdentifierKind::OceanPersonId => "ocean:",
            IdentifierKind::CloduraPersonId => "clodura:",
            IdentifierKind::LinkedinUrl => "linkedin.com/in/",
        };
        format!("{prefix}{}", self.value)
    }

    /// The reverse of [`Identifier::encode`].
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let kinds = [
            ("ocean:", IdentifierKind::OceanPersonId),
            ("clodura:", IdentifierKind::CloduraPersonId),
            ("linkedin.com/in/", IdentifierKind::LinkedinUrl),
        ];
        kinds.into_iter().find_map(|(prefix, kind)| {
            let value = text.strip_prefix(prefix)?.to_owned();
            Some(Identifier { kind, value })
        })
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdentifierKind::OceanPersonId => "ocean_person_id",
            IdentifierKind::CloduraPersonId => "clodura_person_id",
            IdentifierKind::LinkedinUrl => "linkedin_url",
        })
    }
}
