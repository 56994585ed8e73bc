use std::fmt;
use std::str::FromStr;

use crate::{Credits, Provider};

/// The most that a find costs at Clodura on plans that count no direct dials.
pub const DEAREST_FIND: Credits = Credits::whole(20);
/// The price of a find where the account counts direct dials.
pub const DIRECT_DIAL: Credits = Credits::whole(1);
/// The most numbers that one person is expected to have where each number is charged, until a person had more.
pub const EXPECTED_NUMBERS: i64 = 3;

/// What an account pays for, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tariff {
    /// Ocean's plans from before February 2026: 1 phone credit for every number found.
    Legacy,
    /// Ocean's plans since: one pool, 10 credits for every number found.
    Unified,
    /// Clodura's Prospect plans: 1 direct dial for every person found.
    DirectDials,
    /// Clodura's other plans: 10 to 20 credits for every person found.
    Credits,
}

impl Tariff {
    const ALL: [Tariff; 4] =
        [Tariff::Legacy, Tariff::Unified, Tariff::DirectDials, Tariff::Credits];

    /// The word that the ledger keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Tariff::Legacy => "legacy",
            Tariff::Unified => "unified",
            Tariff::DirectDials => "direct_dials",
            Tariff::Credits => "credits",
        }
    }

    /// A provider's most expensive tariff, for an account whose tariff is not known yet.
    #[must_use]
    pub fn dearest(provider: Provider) -> Self {
        match provider {
            Provider::Ocean => Tariff::Unified,
            Provider::Clodura => Tariff::Credits,
        }
    }

    /// The price of every number; `None` where people are charged and not numbers.
    #[must_use]
    pub fn per_number(self) -> Option<Credits> {
        match self {
            Tariff::Legacy => Some(Credits::whole(1)),
            Tariff::Unified => Some(Credits::whole(10)),
            Tariff::DirectDials | Tariff::Credits => None,
        }
    }

    /// The price of one person with `numbers` numbers.
    fn per_person(self, numbers: i64) -> Credits {
        match self {
            Tariff::Legacy => Credits::whole(1) * numbers,
            Tariff::Unified => Credits::whole(10) * numbers,
            Tariff::DirectDials => DIRECT_DIAL,
            Tariff::Credits => DEAREST_FIND,
        }
    }
}

impl fmt::Display for Tariff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no tariff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no tariff")]
pub struct UnknownTariff(String);

impl FromStr for Tariff {
    type Err = UnknownTariff;

    fn from_str(text: &str) -> Result<Self, UnknownTariff> {
        let named = Tariff::ALL.into_iter().find(|tariff| tariff.as_str() == text);
        named.ok_or_else(|| UnknownTariff(text.to_owned()))
    }
}

/// The price of a person, and the least that an account must hold for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Reserved under a batch's ceiling before the request is sent.
    pub reserved: Credits,
    /// An account with less can't pay for any person.
    pub least: Credits,
}

/// How much is reserved for a person before the request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerPerson {
    /// By the plan that the account's balance shows.
    Auto,
    /// By this plan, whatever the balance shows.
    Plan(Tariff),
    /// This amount, whatever the plan.
    Fixed(Credits),
}

impl PerPerson {
    /// The plan that is set by hand.
    #[must_use]
    pub fn plan(self) -> Option<Tariff> {
        match self {
            PerPerson::Plan(tariff) => Some(tariff),
            PerPerson::Auto | PerPerson::Fixed(_) => None,
        }
    }

    /// Returns the price at a provider. `reported` is the tariff that its account showed, if any; `most_numbers` is the
    /// most that one person had there so far.
    #[must_use]
    pub fn price(self, provider: Provider, reported: Option<Tariff>, most_numbers: i64) -> Price {
        if let PerPerson::Fixed(credits) = self {
            return Price { reserved: credits, least: credits };
        }
        let tariff = self.plan().or(reported).unwrap_or(Tariff::dearest(provider));
        let reserved = tariff.per_person(most_numbers.max(EXPECTED_NUMBERS));
        Price { reserved, least: tariff.per_number().unwrap_or(reserved) }
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

/// The account's plan at Ocean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OceanPlan {
    /// The plan that the balance shows.
    #[default]
    Auto,
    /// A pool of phone credits, 1 a number.
    Legacy,
    /// One pool, 10 credits a number.
    Unified,
}

impl OceanPlan {
    /// The tariff that this plan sets by hand.
    #[must_use]
    pub fn tariff(self) -> Option<Tariff> {
        match self {
            OceanPlan::Auto => None,
            OceanPlan::Legacy => Some(Tariff::Legacy),
            OceanPlan::Unified => Some(Tariff::Unified),
        }
    }

    /// Returns how much is reserved for a person under this plan, unless `set` names the credits itself.
    #[must_use]
    pub fn per_person(self, set: PerPerson) -> PerPerson {
        match (set, self.tariff()) {
            (PerPerson::Auto, Some(tariff)) => PerPerson::Plan(tariff),
            (set, _) => set,
        }
    }
}

/// A text that is none of Ocean's plans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of Ocean's plans; write auto, legacy or unified")]
pub struct UnknownPlan(String);

impl FromStr for OceanPlan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(OceanPlan::Auto),
            "legacy" => Ok(OceanPlan::Legacy),
            "unified" => Ok(OceanPlan::Unified),
            _ => Err(UnknownPlan(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider::{Clodura, Ocean};

    #[test]
    fn the_price_of_a_person() {
        let fixed = PerPerson::Fixed(Credits::from_thousandths(1_500));
        let unified = PerPerson::Plan(Tariff::Unified);
        for (set, provider, reported, most, reserved, least) in [
            (PerPerson::Auto, Ocean, Some(Tariff::Legacy), 0, 3_000, 1_000),
            (PerPerson::Auto, Ocean, Some(Tariff::Legacy), 5, 5_000, 1_000),
            (PerPerson::Auto, Ocean, Some(Tariff::Unified), 0, 30_000, 10_000),
            (PerPerson::Auto, Ocean, None, 4, 40_000, 10_000),
            (unified, Ocean, Some(Tariff::Legacy), 0, 30_000, 10_000),
            (PerPerson::Auto, Clodura, Some(Tariff::DirectDials), 4, 1_000, 1_000),
            (PerPerson::Auto, Clodura, Some(Tariff::Credits), 4, 20_000, 20_000),
            (PerPerson::Auto, Clodura, None, 0, 20_000, 20_000),
            (fixed, Ocean, Some(Tariff::Unified), 4, 1_500, 1_500),
        ] {
            let thousandths = Credits::from_thousandths;
            let price = Price { reserved: thousandths(reserved), least: thousandths(least) };
            assert_eq!(
                set.price(provider, reported, most),
                price,
                "{set:?} {provider} {reported:?}"
            );
        }
    }

    #[test]
    fn a_plan_stands_back_behind_credits_that_are_set() {
        let fixed = PerPerson::Fixed(Credits::whole(5));
        assert_eq!(OceanPlan::Unified.per_person(fixed), fixed);
        assert_eq!(OceanPlan::Auto.per_person(PerPerson::Auto), PerPerson::Auto);
        let legacy = PerPerson::Plan(Tariff::Legacy);
        assert_eq!(OceanPlan::Legacy.per_person(PerPerson::Auto), legacy);
    }

    #[test]
    fn tariffs_are_read_as_written() {
        for tariff in Tariff::ALL {
            assert_eq!(tariff.as_str().parse(), Ok(tariff));
        }
        assert!("gold".parse::<Tariff>().is_err() && "gold".parse::<OceanPlan>().is_err());
    }
}
