/// What a cell holds, apart from what spreadsheets put around it.
mod cell;
/// An id that a provider gave.
mod id;
/// What names a person in a LinkedIn address.
mod linkedin;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most characters an identifier may have; the longest real ones have about a hundred.
pub const LONGEST_IDENTIFIER: usize = 200;

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

/// Why a text is no identifier; written for the person who fills the file, to be read after the
/// name of the column. It never repeats the text, which is personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// What stands where nothing is known: `N/A`, `null`, `0`, `/in/unavailable`.
    #[error("names nobody")]
    Placeholder,
    /// `2.75128E+18`.
    #[error("a spreadsheet shortened this id; format the column as text and export again")]
    Shortened,
    /// `2,751,275`.
    #[error(
        "a spreadsheet put separators between the digits of this id; \
         format the column as text and export again"
    )]
    Separators,
    /// `=A2`.
    #[error("is a formula; put its value in its place and export again")]
    Formula,
    /// `j?rgen`, `maria…`, or the marks of a wrong character set.
    #[error(
        "has lost letters (?, …, � or the like stands for them); \
         export the file again as UTF-8, or copy the value anew"
    )]
    LettersLost,
    /// `p1,p2`.
    #[error("has a comma, semicolon or bar inside; one cell holds one id")]
    SeveralIds,
    /// More than [`LONGEST_IDENTIFIER`] characters.
    #[error("is longer than {LONGEST_IDENTIFIER} characters")]
    TooLong,
    /// White space in an id.
    #[error("has white space inside; one cell holds one id")]
    WhiteSpace,
    /// A control or invisible character in an id or slug.
    #[error("has an invisible character (U+{0:04X}) inside; type it again by hand")]
    Invisible(u32),
    /// An address where an id belongs.
    #[error("is a web address, not an id; a LinkedIn profile belongs in the column linkedin_url")]
    AddressForId,
    /// Not an address at linkedin.com.
    #[error("is no LinkedIn address; write linkedin.com/in/ and the person's name there")]
    NotLinkedin,
    /// A shortened link, which only LinkedIn can resolve.
    #[error("is a short link; open it and copy the address of the profile, linkedin.com/in/…")]
    ShortLink,
    /// `/pub/…`, whose slug is another one today.
    #[error(
        "is an old public address (/pub/…), which names nobody today; \
         open it and copy the linkedin.com/in/… address it leads to"
    )]
    OldPublicAddress,
    /// `/sales/…`.
    #[error(
        "is a Sales Navigator address, which providers can't read; \
         use the person's linkedin.com/in/… address (there: ⋯, Copy LinkedIn.com URL)"
    )]
    SalesNavigator,
    /// `/talent/…`, `/recruiter/…`.
    #[error(
        "is a Recruiter address, which providers can't read; \
         use the person's linkedin.com/in/… address (there: Public profile)"
    )]
    Recruiter,
    /// `/company/…`, `/school/…`, `/showcase/…`.
    #[error("is a company's page, not a person's; use the person's linkedin.com/in/… address")]
    CompanyPage,
    /// Any other page at LinkedIn.
    #[error("is a LinkedIn page, but no profile; use the person's linkedin.com/in/… address")]
    NotAProfile,
    /// `/in/` and nothing, or what no profile is called.
    #[error("is no LinkedIn profile: what follows linkedin.com/in/ is no profile's name")]
    BadSlug,
}

impl IdentifierError {
    /// Whether the text holds nothing, so that the other identifiers of its row count alone.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, IdentifierError::Empty | IdentifierError::Placeholder)
    }
}

impl IdentifierKind {
    /// Every kind.
    pub const ALL: [IdentifierKind; 3] = [
        IdentifierKind::OceanPersonId,
        IdentifierKind::CloduraPersonId,
        IdentifierKind::LinkedinUrl,
    ];

    /// The name of its column in the users' files.
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

    /// What stands before the value in [`Identifier::encode`].
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
    /// Text that can't be one, with what to write in its place.
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

    /// Which kind it is.
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

    /// The one text under which the ledger keeps it: `ocean:p1`, `clodura:2751`,
    /// `linkedin.com/in/brad-dickey`.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}{}", self.kind.prefix(), self.value)
    }

    /// The reverse of [`Identifier::encode`]. What the ledger holds is taken as it is, not
    /// normalised once more: it has to stay readable when the rules change.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        IdentifierKind::ALL.into_iter().find_map(|kind| {
            let value = text.strip_prefix(kind.prefix()).filter(|value| !value.is_empty())?;
            Some(Identifier { kind, value: value.to_owned() })
        })
    }
}

/// Takes off what spreadsheets and browsers leave around a text: white space, and characters that
/// can't be seen.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c) || is_joiner(c))
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// Joiners stand inside of Persian and Indic names and of emoji, never around them.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether signs stand where letters were: a text that was cut short, written in a character set
/// without them, or read in a wrong one (`jÃ¼rgen`).
fn letters_were_lost(text: &str) -> bool {
    if text.is_ascii() {
        return text.contains("..");
    }
    let is_lead = |c| matches!(c, 'Â' | 'â' | 'Ã' | 'ã' | 'Ä' | 'ä' | 'Å' | 'å');
    let is_trail =
        |c| matches!(c, '\u{80}'..='\u{bf}' | '\u{2013}'..='\u{203a}' | '€' | '™' | 'ˆ' | '˜');
    let mut before = None;
    text.contains("..")
        || text.chars().any(|c| {
            let lead = before.replace(c).is_some_and(is_lead);
            matches!(c, '\u{fffd}' | '…') || (lead && is_trail(c))
        })
}

fn not_too_long(text: &str) -> Result<(), IdentifierError> {
    // Bytes first: counting characters is needed for long texts only.
    if text.len() > LONGEST_IDENTIFIER && text.chars().count() > LONGEST_IDENTIFIER {
        return Err(IdentifierError::TooLong);
    }
    Ok(())
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests;
