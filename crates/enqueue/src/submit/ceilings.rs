use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jobs::{Credits, Provider};

/// The most credits that a batch may use, as given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ceilings {
    /// For the batch's one provider.
    Only(Credits),
    /// For each of these.
    Each(BTreeMap<Provider, Credits>),
}

/// Ceilings that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCeilings {
    /// No number from 0.
    #[error("{0:?} is no number of credits; write 500, or ocean=500,clodura=2000.5")]
    Number(String),
    /// No provider.
    #[error(transparent)]
    Provider(#[from] jobs::provider::UnknownProvider),
    /// A provider twice.
    #[error("{0} is given twice")]
    Twice(Provider),
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
    /// The ceiling of each provider, for a batch that asks `providers`.
    ///
    /// # Errors
    /// A bare number, and not one provider.
    pub fn for_batch(
        &self,
        providers: &BTreeSet<Provider>,
    ) -> Result<BTreeMap<Provider, Credits>, BadCeilings> {
        match self {
            Ceilings::Each(ceilings) => Ok(ceilings.clone()),
            Ceilings::Only(credits) if providers.len() == 1 => {
                Ok(providers.iter().map(|provider| (*provider, *credits)).collect())
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
            if each.insert(provider, credits(number)?).is_some() {
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
                for (place, (provider, credits)) in each.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{provider}={credits}")?;
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
            (Ocean, Credits::whole(500)),
            (Clodura, Credits::whole(2000)),
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
    fn a_bare_number_is_for_one_provider() {
        let both = BTreeSet::from([Ocean, Clodura]);
        let error = Ceilings::Only(Credits::whole(5)).for_batch(&both).unwrap_err().to_string();
        assert!(
            error.ends_with("the batch has ocean and clodura; write ocean=N,clodura=N"),
            "{error}"
        );
        let one = Ceilings::Only(Credits::whole(5)).for_batch(&BTreeSet::from([Clodura]));
        assert_eq!(one, Ok(BTreeMap::from([(Clodura, Credits::whole(5))])));
    }
}
