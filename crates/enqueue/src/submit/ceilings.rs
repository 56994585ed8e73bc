use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jobs::{Credits, Provider};

/// Written in place of a number, where a provider is to have no ceiling.
const UNLIMITED: &str = "unlimited";

/// The most credits that a batch may use, as given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ceilings {
    /// For the batch's one provider.
    Only(Credits),
    /// For each of these providers; `None` stands for `unlimited`.
    Each(BTreeMap<Provider, Option<Credits>>),
}

/// Ceilings that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCeilings {
    /// Text that is no number of credits from 0 on.
    #[error("{0:?} is no number of credits; write 500, or ocean=500,clodura=2000.5")]
    Number(String),
    /// Text that is no provider.
    #[error(transparent)]
    Provider(#[from] jobs::provider::UnknownProvider),
    /// A provider twice.
    #[error("{0} is given twice")]
    Twice(Provider),
    /// Ceilings for some of the batch's providers, but not for all.
    #[error("the batch asks {} too: write {}, with a number of credits for N or unlimited", listed(.without, " and ", ","), .flag)]
    Partial {
        /// The providers without a ceiling.
        without: Vec<Provider>,
        /// The flag, written out.
        flag: String,
    },
    /// A bare number for more than one provider.
    #[error(
        "a bare number is for one provider, but the batch has {}; write {}",
        listed(.0, " and ", ""), listed(.0, ",", "=N")
    )]
    Ambiguous(Vec<Provider>),
}

fn listed(providers: &[Provider], between: &str, after: &str) -> String {
    let names: Vec<String> = providers.iter().map(|p| format!("{p}{after}")).collect();
    names.join(between)
}

impl Ceilings {
    /// The ceiling of each provider, for a new batch that asks `providers`.
    ///
    /// # Errors
    /// A bare number, but not exactly one provider; or ceilings for only some of the providers.
    pub fn for_batch(
        &self,
        providers: &BTreeSet<Provider>,
    ) -> Result<BTreeMap<Provider, Option<Credits>>, BadCeilings> {
        let Ceilings::Each(each) = self else { return self.for_some(providers) };
        let without: Vec<Provider> =
            providers.iter().filter(|provider| !each.contains_key(provider)).copied().collect();
        if without.is_empty() {
            return self.for_some(providers);
        }
        let added = without.iter().map(|provider| format!(",{provider}=N"));
        let flag = format!("--max-credits {self}{}", added.collect::<String>());
        Err(BadCeilings::Partial { without, flag })
    }

    /// The ceilings that are named, for a batch that asks `providers` and has ceilings already.
    ///
    /// # Errors
    /// A bare number, but not exactly one provider.
    pub fn for_some(
        &self,
        providers: &BTreeSet<Provider>,
    ) -> Result<BTreeMap<Provider, Option<Credits>>, BadCeilings> {
        match self {
            Ceilings::Each(ceilings) => Ok(ceilings.clone()),
            Ceilings::Only(credits) if providers.len() == 1 => {
                Ok(providers.iter().map(|provider| (*provider, Some(*credits))).collect())
            }
            Ceilings::Only(_) => Err(BadCeilings::Ambiguous(providers.iter().copied().collect())),
        }
    }
}

impl FromStr for Ceilings {
    type Err = BadCeilings;

    fn from_str(text: &str) -> Result<Self, BadCeilings> {
        if !text.contains('=') {
            return Ok(Ceilings::Only(credits(text)?));
        }
        let mut each = BTreeMap::new();
        for part in text.split(',') {
            let (name, number) =
                part.split_once('=').ok_or_else(|| BadCeilings::Number(part.to_owned()))?;
            let provider: Provider = name.parse()?;
            let unlimited = number.trim().eq_ignore_ascii_case(UNLIMITED);
            let most = if unlimited { None } else { Some(credits(number)?) };
            if each.insert(provider, most).is_some() {
                return Err(BadCeilings::Twice(provider));
            }
        }
        Ok(Ceilings::Each(each))
    }
}

fn credits(text: &str) -> Result<Credits, BadCeilings> {
    let number = text.parse().ok().filter(|credits| *credits >= Credits::ZERO);
    number.ok_or_else(|| BadCeilings::Number(text.trim().to_owned()))
}

impl fmt::Display for Ceilings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ceilings::Only(credits) => credits.fmt(f),
            Ceilings::Each(each) => {
                for (place, (provider, most)) in each.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    let most = most.map_or(UNLIMITED.to_owned(), |most| most.to_string());
                    write!(f, "{comma}{provider}={most}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobs::Provider::{Clodura, Ocean};

    fn parse(text: &str) -> Result<Ceilings, BadCeilings> {
        text.parse()
    }

    #[test]
    fn reads_both_ways_of_writing() {
        assert_eq!(parse("500"), Ok(Ceilings::Only(Credits::whole(500))));
        let each = Ceilings::Each(BTreeMap::from([
            (Ocean, Some(Credits::whole(500))),
            (Clodura, Some(Credits::whole(2000))),
        ]));
        assert_eq!(parse("ocean=500,clodura=2000"), Ok(each.clone()));
        assert_eq!(parse(" Clodura = 2000 , ocean=500"), Ok(each.clone()));
        assert_eq!(each.to_string(), "ocean=500,clodura=2000");
        assert_eq!(parse("4368.8"), Ok(Ceilings::Only(Credits::from_thousandths(4_368_800))));
    }

    #[test]
    fn refuses_what_is_no_ceiling() {
        for text in
            ["", "-1", "1.2345", "ocean", "ocean=", "ocean=1,", "apollo=1", "ocean=1,ocean=2"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ceiling_for_some_is_none() {
        let both = BTreeSet::from([Ocean, Clodura]);
        let error = parse("ocean=5").unwrap().for_batch(&both).unwrap_err().to_string();
        assert_eq!(
            error,
            "the batch asks clodura, too: write --max-credits ocean=5,clodura=N, \
             with a number of credits for N or unlimited"
        );
        let five = BTreeMap::from([(Ocean, Some(Credits::whole(5)))]);
        let unlimited = BTreeMap::from([(Ocean, Some(Credits::whole(5))), (Clodura, None)]);
        assert_eq!(parse("ocean=5,clodura=Unlimited").unwrap().for_batch(&both), Ok(unlimited));
        assert_eq!(parse("ocean=5").unwrap().for_batch(&BTreeSet::from([Ocean])), Ok(five.clone()));
        assert_eq!(parse("ocean=5").unwrap().for_some(&both), Ok(five));
        assert_eq!(parse("ocean=unlimited").unwrap().to_string(), "ocean=unlimited");
    }

    #[test]
    fn a_bare_number_is_for_one_provider() {
        let both = BTreeSet::from([Ocean, Clodura]);
        let error = Ceilings::Only(Credits::whole(5)).for_batch(&both).unwrap_err().to_string();
        assert!(
            error.ends_with("the batch has ocean and clodura; write ocean=N,clodura=N"),
            "{error}"
        );
        let one = Ceilings::Only(Credits::whole(5)).for_batch(&BTreeSet::from([Clodura]));
        assert_eq!(one, Ok(BTreeMap::from([(Clodura, Some(Credits::whole(5)))])));
    }
}
