use std::collections::BTreeMap;

use jobs::outlook::{Facts, Outlook, outlook};
use jobs::{Credits, Provider, lookup};
use store::{Loaded, Store};

use super::{SubmitArgs, environment};
use crate::failure::Failure;
use crate::output::{count, number};

/// What it costs and how long it takes to ask for the new people, by provider.
pub async fn outlooks(
    store: &Store,
    args: &SubmitArgs,
    loaded: &Loaded,
    ceilings: &BTreeMap<Provider, Option<Credits>>,
) -> Result<BTreeMap<Provider, Outlook>, Failure> {
    let mut outlooks = BTreeMap::new();
    for (&provider, &people) in &loaded.new_people {
        let known = store.reports().known_of_provider(provider, args.prices.of(provider)).await?;
        let facts = Facts {
            price: known.price,
            people_answered: known.people_answered,
            spent: known.spent,
            balance: known.balance,
            rate: known.rate.unwrap_or(args.pace.rate(provider)),
            people_per_request: args.pace.people_per_request(provider),
            lookups: if provider == lookup::PROVIDER { loaded.lookups } else { 0 },
            lacks: known.lacks.unwrap_or_else(|| environment::lacks(provider)),
        };
        outlooks
            .insert(provider, outlook(people, ceilings.get(&provider).copied().flatten(), &facts));
    }
    Ok(outlooks)
}

/// A few lines for people about a provider.
pub fn lines(provider: Provider, outlook: &Outlook) -> Vec<String> {
    let mut cost =
        format!("{provider}: {}, at most {}", people(outlook.people), outlook.worst_case.counted());
    if let Some(expected) = outlook.expected {
        cost.push_str(&format!(", about {} by results so far", expected.grouped()));
    }
    let mut lines = vec![cost];
    if let Some(lookup) = outlook.lookup {
        lines.push(format!(
            "{provider}: of that {} at most to look up {} by their LinkedIn addresses",
            lookup.worst_case.counted(),
            people(lookup.people),
        ));
    }
    if let (Some(ceiling), Some(covers)) = (outlook.ceiling, outlook.ceiling_covers) {
        lines.push(format!(
            "{provider}: the ceiling of {} is enough for {} at the worst",
            ceiling.counted(),
            people(covers),
        ));
    }
    let mut stands = match outlook.balance {
        Some(balance) => format!("{provider}: {} left in the account", balance.counted()),
        None => format!("{provider}: the account's balance is not known yet"),
    };
    stands.push_str(&format!("; requests take {}", duration(outlook.seconds)));
    lines.push(stands);
    if outlook.balance.is_none() {
        lines.push(format!(
            "{provider}: the dearest price counts until a worker has read the balance, unless one is set"
        ));
    }
    if let Some(lacks) = outlook.lacks {
        lines.push(format!(
            "{provider}: not ready: start the worker with {}",
            environment::setting(provider, lacks)
        ));
    }
    lines
}

fn people(n: i64) -> String {
    if n == 1 { "1 person".to_owned() } else { format!("{} people", number(n)) }
}

/// A duration in the largest unit of which it has two or more, rounded up.
fn duration(seconds: i64) -> String {
    let up = |unit: i64| seconds / unit + i64::from(seconds % unit > 0);
    match seconds {
        ..120 => count(seconds, "second"),
        120..7_200 => count(up(60), "minute"),
        7_200..172_800 => count(up(3_600), "hour"),
        _ => format!("{} days", number(up(86_400))),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use jobs::{OffReason, Price};

    use super::*;

    fn facts() -> Facts {
        Facts {
            price: Price { reserved: Credits::whole(30), least: Credits::whole(10) },
            people_answered: 400,
            spent: Credits::whole(3_000),
            balance: Some(Credits::from_thousandths(4_368_800)),
            rate: 1.0,
            people_per_request: NonZero::new(500).unwrap(),
            lookups: 0,
            lacks: None,
        }
    }

    #[test]
    fn says_what_it_costs_and_how_long_it_takes() {
        let all = outlook(1_200, Some(Credits::whole(5_000)), &facts());
        assert_eq!(
            lines(Provider::Ocean, &all),
            [
                "ocean: 1,200 people, at most 36,000 credits, about 9,000 by results so far",
                "ocean: the ceiling of 5,000 credits is enough for 166 people at the worst",
                "ocean: 4,368.8 credits left in the account; requests take 3 seconds",
            ]
        );
    }

    #[test]
    fn says_what_is_not_known_and_what_lacks() {
        let unknown =
            Facts { people_answered: 0, balance: None, lacks: Some(OffReason::NoKey), ..facts() };
        assert_eq!(
            lines(Provider::Ocean, &outlook(1, None, &unknown)),
            [
                "ocean: 1 person, at most 30 credits",
                "ocean: the account's balance is not known yet; requests take 1 second",
                "ocean: the dearest price counts until a worker has read the balance, unless one is set",
                "ocean: not ready: start the worker with OCEAN_API_TOKEN",
            ]
        );
    }

    #[test]
    fn durations_are_short_to_read() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (121, "3 minutes"),
            (7_199, "120 minutes"),
            (7_201, "3 hours"),
            (200_000, "3 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
