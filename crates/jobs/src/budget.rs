use std::collections::HashMap;

use crate::{Credits, Price};

/// A reveal that may be asked now, and the batches that would pay for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The ledger's number of the reveal.
    pub reveal: i64,
    /// The batches that want the reveal, the first to pay first. Cancelled batches are not among them.
    pub wanted_by: Vec<i64>,
}

/// The credits that may still be reserved.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Credits left in the account minus what is reserved; `None` while the balance is not known.
    pub account: Option<Credits>,
    /// Credits left under the ceiling of each batch that has one.
    pub batches: HashMap<i64, Credits>,
}

/// Which candidates are sent now, and what becomes of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Each reveal with the batch that pays for it.
    pub paid: Vec<(i64, i64)>,
    /// Reveals that no batch wants any more.
    pub unwanted: Vec<i64>,
    /// Reveals whose batches are all at their ceilings.
    pub at_ceiling: Vec<i64>,
    /// The account ran out before all candidates were placed.
    pub account_short: bool,
}

/// Assigns reveals in their order, each to the first batch with room for what is reserved, as long as the account can
/// pay for one more. Subtracts what it assigns from `room`.
#[must_use]
pub fn allocate(candidates: &[Candidate], price: Price, room: &mut Room) -> Allocation {
    let Price { reserved, least } = price;
    let mut result = Allocation::default();
    for candidate in candidates {
        if candidate.wanted_by.is_empty() {
            result.unwanted.push(candidate.reveal);
            continue;
        }
        let payer = candidate
            .wanted_by
            .iter()
            .find(|batch| room.batches.get(batch).is_none_or(|left| *left >= reserved));
        let Some(&payer) = payer else {
            result.at_ceiling.push(candidate.reveal);
            continue;
        };
        if room.account.is_some_and(|left| left < least) {
            result.account_short = true;
            break;
        }
        if let Some(left) = &mut room.account {
            *left -= reserved;
        }
        if let Some(left) = room.batches.get_mut(&payer) {
            *left -= reserved;
        }
        result.paid.push((candidate.reveal, payer));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixed(credits: Credits) -> Price {
        Price { reserved: credits, least: credits }
    }

    fn wanted(reveal: i64, by: &[i64]) -> Candidate {
        Candidate { reveal, wanted_by: by.to_vec() }
    }

    #[test]
    fn the_first_batch_with_room_pays() {
        let mut room = Room { account: None, batches: HashMap::from([(1, Credits::whole(1))]) };
        let people = [wanted(10, &[1, 2]), wanted(11, &[1, 2]), wanted(12, &[1]), wanted(13, &[])];
        let result = allocate(&people, fixed(Credits::whole(1)), &mut room);
        assert_eq!(result.paid, [(10, 1), (11, 2)]);
        assert_eq!(result.at_ceiling, [12]);
        assert_eq!(result.unwanted, [13]);
        assert!(!result.account_short);
    }

    #[test]
    fn stops_at_the_account() {
        let mut room = Room { account: Some(Credits::whole(45)), batches: HashMap::new() };
        let people = [wanted(1, &[1]), wanted(2, &[1]), wanted(3, &[1])];
        let result = allocate(&people, fixed(Credits::whole(20)), &mut room);
        assert_eq!(result.paid.len(), 2);
        assert!(result.account_short);
        assert_eq!(room.account, Some(Credits::whole(5)));
    }

    #[test]
    fn the_account_pays_for_a_last_one() {
        let price = Price { reserved: Credits::whole(30), least: Credits::whole(10) };
        let people = [wanted(1, &[1]), wanted(2, &[1]), wanted(3, &[1])];
        for (account, paid) in [(9, 0), (10, 1), (39, 1), (40, 2)] {
            let mut room = Room { account: Some(Credits::whole(account)), batches: HashMap::new() };
            assert_eq!(allocate(&people, price, &mut room).paid.len(), paid, "{account}");
        }
    }

    proptest! {
        #[test]
        fn no_ceiling_and_no_account_is_ever_passed(
            account in proptest::option::of(0i64..200),
            ceilings in proptest::collection::hash_map(0i64..5, 0i64..50, 0..5),
            people in proptest::collection::vec(proptest::collection::vec(0i64..5, 0..4), 0..60),
            price in 1i64..21,
        ) {
            let people: Vec<_> =
                people.iter().enumerate().map(|(n, by)| wanted(n as i64, by)).collect();
            let thousandths = Credits::from_thousandths;
            let (account, price) = (account.map(thousandths), thousandths(price));
            let ceilings: HashMap<i64, Credits> =
                ceilings.into_iter().map(|(batch, left)| (batch, thousandths(left))).collect();
            let mut room = Room { account, batches: ceilings.clone() };
            let result = allocate(&people, fixed(price), &mut room);
            if let Some(account) = account {
                prop_assert!(price * result.paid.len() as i64 <= account);
            }
            for (batch, ceiling) in ceilings {
                let paid = result.paid.iter().filter(|(_, by)| *by == batch).count() as i64;
                prop_assert!(price * paid <= ceiling);
            }
        }
    }
}
