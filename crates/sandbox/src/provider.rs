use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of the two providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Ocean.io
    Ocean,
    /// Clodura
    Clodura,
}

impl Provider {
    /// The name in configuration, statistics and addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ocean => "ocean",
            Self::Clodura => "clodura",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ocean" => Ok(Self::Ocean),
            "clodura" => Ok(Self::Clodura),
            _ => Err(format!("no provider {text:?}: it is ocean or clodura")),
        }
    }
}
