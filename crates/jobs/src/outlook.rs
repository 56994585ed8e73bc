//! What a batch will come to at a provider, said before it is asked.

use std::num::NonZero;

use serde::Serialize;

use crate::{Credits, OffReason, Price};

/// What is known of a provider before it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// What one person may cost.
    pub price: Price,
    /// People whose results came so far, in all batches.
    pub people_answered: i64,
    /// What they cost.
    pub spent: Credits,
    /// What the account holds, if it told.
    pub balance: Option<Credits>,
    /// Requests a second that go at most.
    pub rate: f64,
    /// People in one request.
    pub people_per_request: NonZero<i64>,
    /// What keeps requests from going; `None` if key and, where it is needed, webhook URL are there.
    pub lacks: Option<OffReason>,
}

/// What a batch will come to at one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// People to be asked for.
    pub people: i64,
    /// What they cost if all have as many numbers as is reserved for.
    pub worst_case: Credits,
    /// What they cost if they cost what people cost so far; none before the first result.
    pub expected: Option<Credits>,
    /// The batch's ceiling.
    pub ceiling: Option<Credits>,
    /// How many people are asked under that ceiling at least, whatever they cost.
    pub ceiling_covers: Option<i64>,
    /// What the account holds.
    pub balance: Option<Credits>,
    /// How long the requests take at the set rate. Results take longer.
    pub seconds: i64,
    /// Whether key and, where it is needed, webhook URL are there.
    pub ready: bool,
    /// What is not.
    #[serde(skip)]
    pub lacks: Option<OffReason>,
}

/// What asking `people` comes to, under a ceiling if there is one.
#[must_use]
pub fn outlook(people: i64, ceiling: Option<Credits>, facts: &Facts) -> Outlook {
    let reserved = facts.price.reserved;
    let expected = (facts.people_answered > 0).then(|| {
        let each = facts.spent.as_f64() / facts.people_answered as f64;
        Credits::from_f64(each * people as f64).unwrap_or(reserved * people)
    });
    let per_request = facts.people_per_request.get();
    let requests = people / per_request + i64::from(people % per_request > 0);
    Outlook {
        people,
        worst_case: reserved * people,
        expected,
        ceiling,
        ceiling_covers: ceiling.map(|ceiling| ceiling.divided_by(reserved).min(people)),
        balance: facts.balance,
        // The conversion stops at the largest number, where no request may go.
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
    fn what_lacks_is_said() {
        let off = Facts { lacks: Some(OffReason::NoKey), ..facts() };
        let outlook = outlook(1, None, &off);
        assert_eq!((outlook.ready, outlook.lacks), (false, Some(OffReason::NoKey)));
    }
}
