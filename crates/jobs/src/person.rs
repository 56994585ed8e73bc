/// The content of a cell, without what spreadsheets put around it.
mod cell;
/// Why a text is not an identifier.
mod error;
/// An id that a provider gave.
mod id;
/// The slug that names a person in a LinkedIn address.
mod linkedin;
/// Rules that all identifiers share as texts.
mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::error::{IdentifierError, LONGEST_IDENTIFIER};

/// The kind of an identifier.
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

impl IdentifierKind {
    /// Every kind.
    pub const ALL: [IdentifierKind; 3] = [
        IdentifierKind::OceanPersonId,
        IdentifierKind::CloduraPersonId,
        IdentifierKind::LinkedinUrl,
    ];

    /// The name of the kind's column in the users' files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            IdentifierKind::OceanPersonId => "ocean_person_id",
            IdentifierKind::CloduraPersonId => "clodura_person_id",
            IdentifierKind::LinkedinUrl => "linkedin_url",
        }
    }

    /// The kind of an encoded identifier; see [`Identifier::encode`].
    #[must_use]
    pub fn of_encoded(identifier: &str) -> Option<Self> {
        IdentifierKind::ALL.into_iter().find(|kind| identifier.starts_with(kind.prefix()))
    }

    /// The prefix of the value in [`Identifier::encode`].
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            IdentifierKind::OceanPersonId => "ocean:",
            IdentifierKind::CloduraPersonId => "clodura:",
            IdentifierKind::LinkedinUrl => "linkedin.com/in/",
        }
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Identifier {
    /// Reads an identifier of the given kind, in any spelling that people use.
    ///
    /// ```
    /// use jobs::{Identifier, IdentifierKind::LinkedinUrl};
    ///
    /// let pasted = Identifier::parse(LinkedinUrl, " https://uk.LinkedIn.com/in/Brad-Dickey/?trk=x ");
    /// let typed = Identifier::parse(LinkedinUrl, "linkedin.com/in/brad-dickey");
    /// assert!(pasted.is_ok());
    /// assert_eq!(pasted, typed);
    /// ```
    ///
    /// # Errors
    /// A text that can't be an identifier of this kind. The error says what to write instead.
    pub fn parse(kind: IdentifierKind, text: &str) -> Result<Self, IdentifierError> {
        let text = cell::content(text);
        if text.is_empty() {
            return Err(IdentifierError::Empty);
        }
        if cell::is_placeholder(text) {
            return Err(IdentifierError::Placeholder);
        }
        let value = match kind {
            IdentifierKind::LinkedinUrl => linkedin::slug(text)?,
            IdentifierKind::OceanPersonId | IdentifierKind::CloduraPersonId => id::checked(text)?,
        };
        Ok(Identifier { kind, value })
    }

    /// The kind of the identifier.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The value: an id as the provider gave it, or for LinkedIn the profile's slug, decoded.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The standard address of a LinkedIn profile, percent-encoded, as providers want it.
    #[must_use]
    pub fn linkedin_url(&self) -> Option<String> {
        if self.kind != IdentifierKind::LinkedinUrl {
            return None;
        }
        let mut url = String::from("https://www.linkedin.com/in/");
        for byte in self.value.bytes() {
            if byte.is_ascii() {
                url.push(char::from(byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        Some(url)
    }

    /// The name in a LinkedIn address by which a profile can be looked up; `None` for a member id (`ACoAA…`).
    #[must_use]
    pub fn vanity_handle(&self) -> Option<&str> {
        let is_handle =
            self.kind == IdentifierKind::LinkedinUrl && !linkedin::is_member_id(&self.value);
        is_handle.then_some(&self.value)
    }

    /// The one text under which the ledger keeps the identifier: `ocean:p1`, `clodura:2751`, `linkedin.com/in/brad-dickey`.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}{}", self.kind.prefix(), self.value)
    }

    /// The reverse of [`Identifier::encode`]. The ledger's text is not normalised once more: it has to stay readable
    /// when the rules change.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        IdentifierKind::ALL.into_iter().find_map(|kind| {
            let value = text.strip_prefix(kind.prefix()).filter(|value| !value.is_empty())?;
            Some(Identifier { kind, value: value.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests;
