use std::str::FromStr;

use crate::Credits;

/// What a find may cost at Clodura on plans that count no direct dials.
pub const DEAREST_FIND: Credits = Credits::whole(20);
/// What a find costs where the account counts direct dials.
pub const DIRECT_DIAL: Credits = Credits::whole(1);

/// What is reserved for a person before the request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerPerson {
    /// By what the account's balance tells of its plan.
    Auto,
    /// So much, whatever the plan.
    Fixed(Credits),
}

impl PerPerson {
    /// The credits, for an account that counts direct dials or doesn't.
    #[must_use]
    pub fn reserved(self, direct_dials: bool) -> Credits {
        match self {
            PerPerson::Fixed(credits) => credits,
            PerPerson::Auto if direct_dials => DIRECT_DIAL,
            PerPerson::Auto => DEAREST_FIND,
        }
    }
}

/// A text that is neither `auto` nor a number of credits above 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither auto nor a number of credits above 0; write auto, 10 or 1.5")]
pub struct NoPrice(String);

impl FromStr for PerPerson {
    type Err = NoPrice;

    fn from_str(text: &str) -> Result<Self, NoPrice> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("auto") {
            return Ok(PerPerson::Auto);
        }
        let credits = text.parse().ok().filter(|credits: &Credits| credits.is_positive());
        credits.map(PerPerson::Fixed).ok_or_else(|| NoPrice(text.to_owned()))
    }
}
