use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::person::IdentifierKind;

/// A vendor of phone numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Ocean.io: up to 500 people a request, results by webhook only.
    Ocean,
    /// Clodura: one person a request, results by webhook or by polling a tracking id.
    Clodura,
}

impl Provider {
    /// Every provider, in the order in which a waterfall asks them by default.
    pub const ALL: [Provider; 2] = [Provider::Ocean, Provider::Clodura];

    /// The name used in commands, columns, tables and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Ocean => "ocean",
            Provider::Clodura => "clodura",
        }
    }

    /// The identifiers by which this provider can be asked, best first.
    #[must_use]
    pub fn asks_by(self) -> &'static [IdentifierKind] {
        match self {
            Provider::Ocean => &[IdentifierKind::OceanPersonId],
            Provider::Clodura => &[IdentifierKind::CloduraPersonId, IdentifierKind::LinkedinUrl],
        }
    }

    /// The most people that the provider accepts in one request (Ocean: documented; Clodura: one).
    #[must_use]
    pub fn most_people(self) -> usize {
        match self {
            Provider::Ocean => 500,
            Provider::Clodura => 1,
        }
    }

    /// Whether a result that never came by webhook can be asked for.
    #[must_use]
    pub fn can_be_polled(self) -> bool {
        matches!(self, Provider::Clodura)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that belongs to no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no provider {0:?}; known are ocean and clodura")]
pub struct UnknownProvider(pub String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Provider::ALL
            .into_iter()
            .find(|p| p.as_str().eq_ignore_ascii_case(s.trim()))
            .ok_or_else(|| UnknownProvider(s.trim().to_owned()))
    }
}
