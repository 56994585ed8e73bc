//! The expected cost and time of a batch at a provider, before it is asked.

use std::num::NonZero;

use serde::Serialize;

use crate::lookup::{MOST_PEOPLE, PRICE_OF_MATCH};
use crate::{Credits, OffReason, Price};

/// The facts about a provider before it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// The price of one person.
    pub price: Price,
    /// People in all batches whose results came so far.
    pub people_answered: i64,
    /// The credits that these people cost.
    pub spent: Credits,
    /// The credits in the account, if its balance is known.
    pub balance: Option<Credits>,
    /// The most requests per second.
    pub rate: f64,
    /// People in one request.
    pub people_per_request: NonZero<i64>,
    /// How many of the people are looked up first.
    pub lookups: i64,
    /// Why no requests can be sent; `None` if the key and, where one is needed, the webhook URL are set.
    pub lacks: Option<OffReason>,
}

/// The cost of looking people up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lookup {
    /// People to be looked up.
    pub people: i64,
    /// The cost if all people match.
    pub worst_case: Credits,
}

impl Lookup {
    fn of(people: i64) -> Option<Self> {
        (people > 0).then(|| Lookup { people, worst_case: PRICE_OF_MATCH * people })
    }
}

/// The expected cost and time of a batch at one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// People to be asked for.
    pub people: i64,
    /// The cost of looking up some of the people; `None` if none is looked up. The worst case and the time include it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// The cost if each person has as many numbers as is reserved for.
    pub worst_case: Credits,
    /// The cost if people cost as much as they did so far; `None` before the first result.
    pub expected: Option<Credits>,
    /// The batch's ceiling.
    pub ceiling: Option<Credits>,
    /// How many people are asked under the ceiling at least, whatever they cost.
    pub ceiling_covers: Option<i64>,
    /// The credits in the account.
    pub balance: Option<Credits>,
    /// How long the requests take at the set rate. Results take longer.
    pub seconds: i64,
    /// Whether the key and, where one is needed, the webhook URL are set.
    pub ready: bool,
    /// The missing setting, if one is missing.
    #[serde(skip)]
    pub lacks: Option<OffReason>,
}

/// Computes the cost of asking for `people`, under a ceiling if there is one.
#[must_use]
pub fn outlook(people: i64, ceiling: Option<Credits>, facts: &Facts) -> Outlook {
    let reserved = facts.price.reserved;
    let expected = (facts.people_answered > 0).then(|| {
        let each = facts.spent.as_f64() / facts.people_answered as f64;
        Credits::from_f64(each * people as f64).unwrap_or(reserved * people)
    });
    let per_request = facts.people_per_request.get();
    let rounded_up = |people: i64, most: i64| people / most + i64::from(people % most > 0);
    let lookups = rounded_up(facts.lookups, i64::try_from(MOST_PEOPLE).unwrap_or(i64::MAX));
    let requests = rounded_up(people, per_request) + lookups;
    let lookup = Lookup::of(facts.lookups);
    Outlook {
        people,
        lookup,
        worst_case: reserved * people + lookup.map_or(Credits::ZERO, |lookup| lookup.worst_case),
        expected,
        ceiling,
        ceiling_covers: ceiling.map(|ceiling| ceiling.divided_by(reserved).min(people)),
        balance: facts.balance,
        // The cast saturates at the largest number if no request may go.
        seconds: (requests as f64 / facts.rate).ceil() as i64,
        ready: facts.lacks.is_none(),
        lacks: facts.lacks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            price: Price { reserved: Credits::whole(30), least: Credits::whole(10) },
            people_answered: 0,
            spent: Credits::ZERO,
            balance: None,
            rate: 1.0,
            people_per_request: NonZero::new(500).unwrap(),
            lookups: 0,
            lacks: None,
        }
    }

    #[test]
    fn the_worst_case_is_what_is_reserved() {
        let all = outlook(1_200, None, &facts());
        assert_eq!((all.worst_case, all.expected), (Credits::whole(36_000), None));
        assert_eq!((all.seconds, all.ready), (3, true));
        assert_eq!(outlook(0, None, &facts()).seconds, 0);
    }

    #[test]
    fn people_are_expected_to_cost_what_they_cost_so_far() {
        let known = Facts { people_answered: 400, spent: Credits::whole(3_000), ..facts() };
        assert_eq!(outlook(1_200, None, &known).expected, Some(Credits::whole(9_000)));
        let none = Facts { people_answered: 400, ..facts() };
        assert_eq!(outlook(1_200, None, &none).expected, Some(Credits::ZERO));
    }

    #[test]
    fn a_ceiling_covers_whole_people() {
        for (ceiling, covers) in [(0, 0), (29, 0), (30, 1), (5_000, 166), (1_000_000, 1_200)] {
            let under = outlook(1_200, Some(Credits::whole(ceiling)), &facts());
            assert_eq!(under.ceiling_covers, Some(covers), "{ceiling}");
        }
    }

    #[test]
    fn one_person_a_request_takes_longer() {
        let one = Facts { rate: 5.0, people_per_request: NonZero::new(1).unwrap(), ..facts() };
        assert_eq!(outlook(1_201, None, &one).seconds, 241);
    }

    #[test]
    fn lookups_cost_a_little_and_a_request_a_thousand() {
        let some = outlook(1_200, None, &Facts { lookups: 1_001, ..facts() });
        let lookup = Lookup { people: 1_001, worst_case: Credits::from_thousandths(50_050) };
        assert_eq!((some.lookup, some.seconds), (Some(lookup), 5));
        assert_eq!(some.worst_case, Credits::from_thousandths(36_050_050));
    }

    #[test]
    fn what_lacks_is_said() {
        let off = Facts { lacks: Some(OffReason::NoKey), ..facts() };
        let outlook = outlook(1, None, &off);
        assert_eq!((outlook.ready, outlook.lacks), (false, Some(OffReason::NoKey)));
    }
}
