//! The endpoints of both providers, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Provider;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Asks for phone numbers: the request that costs.
    Reveal,
    /// Asks which ids people have (Ocean): costs a little.
    Lookup,
    /// Asks how a request for phone numbers is doing (Clodura).
    Track,
    /// Asks for the credits left.
    Balance,
}

/// One endpoint of one provider, as `ocean.reveal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Endpoint {
    /// `POST /v2/reveal/phones`
    #[serde(rename = "ocean.reveal")]
    OceanReveal,
    /// `POST /v2/lookup/people`
    #[serde(rename = "ocean.lookup")]
    OceanLookup,
    /// `GET /v2/credits/balance`
    #[serde(rename = "ocean.balance")]
    OceanBalance,
    /// `POST /api/v1/search/people/phone/match`
    #[serde(rename = "clodura.reveal")]
    CloduraReveal,
    /// `GET /api/v1/search/people/track/{trackingId}`
    #[serde(rename = "clodura.track")]
    CloduraTrack,
    /// `GET /api/v1/credits`
    #[serde(rename = "clodura.balance")]
    CloduraBalance,
}

impl Endpoint {
    /// The provider of the endpoint.
    pub fn provider(self) -> Provider {
        match self {
            Self::OceanReveal | Self::OceanLookup | Self::OceanBalance => Provider::Ocean,
            Self::CloduraReveal | Self::CloduraTrack | Self::CloduraBalance => Provider::Clodura,
        }
    }

    /// What a request to the endpoint is for.
    pub fn kind(self) -> Kind {
        match self {
            Self::OceanReveal | Self::CloduraReveal => Kind::Reveal,
            Self::OceanLookup => Kind::Lookup,
            Self::CloduraTrack => Kind::Track,
            Self::OceanBalance | Self::CloduraBalance => Kind::Balance,
        }
    }

    /// The name in scripts and statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::OceanReveal => "ocean.reveal",
            Self::OceanLookup => "ocean.lookup",
            Self::OceanBalance => "ocean.balance",
            Self::CloduraReveal => "clodura.reveal",
            Self::CloduraTrack => "clodura.track",
            Self::CloduraBalance => "clodura.balance",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
