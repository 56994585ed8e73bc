use crate::identity::is_address;
use crate::{Credits, Identifier, Provider};

/// The most people in one lookup at Ocean (documented).
pub const MOST_PEOPLE: usize = 1_000;

/// The price of each match. A person who doesn't match costs nothing.
pub const PRICE_OF_MATCH: Credits = Credits::from_thousandths(50);

/// The provider that looks people up.
pub const PROVIDER: Provider = Provider::Ocean;

/// The reason of a reveal that ends because the provider doesn't know its address.
pub const NO_MATCH: &str = "lookup: Ocean has no person with this LinkedIn address";

/// Whether a reveal is to be looked up first: Ocean accepts only its own ids, so the id of a reveal with an address
/// must be found first.
#[must_use]
pub fn is_to_be_looked_up(provider: Provider, subject: &str) -> bool {
    provider == PROVIDER && is_address(subject)
}

/// Returns the handles in a call's encoded identifiers, in their order; empty where an identifier can't be decoded.
#[must_use]
pub fn handles(people: &[String]) -> Vec<String> {
    let handle = |person: &String| {
        Identifier::decode(person).map(|address| address.value().to_owned()).unwrap_or_default()
    };
    people.iter().map(handle).collect()
}

/// What a claim finds at a provider that looks people up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Whether people wait to be looked up.
    pub to_look_up: bool,
    /// Whether a lookup is on its way.
    pub is_out: bool,
    /// People who can be asked, counted up to what the claim could send.
    pub ready: usize,
}

/// What a claim does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Sends reveals.
    Reveal {
        /// The most requests to send.
        calls: usize,
    },
    /// Sends a lookup, or reveals if no batch can pay for one.
    LookUp,
    /// Waits for the lookup that is on its way: it may fill the next request.
    Wait,
}

/// Decides what a claim does that may send `calls` requests of `people` each. Requests are scarce, so only full ones go
/// while lookups bring more people. One lookup at a time is enough for that, since it brings two full requests, and it
/// is all that a crash can leave open.
#[must_use]
pub fn next(waiting: Waiting, calls: usize, people: usize) -> Next {
    let full = waiting.ready / people.max(1);
    match waiting {
        _ if calls == 0 => Next::Reveal { calls },
        Waiting { to_look_up: false, is_out: false, .. } => Next::Reveal { calls },
        _ if full > 0 => Next::Reveal { calls: calls.min(full) },
        Waiting { is_out: true, .. } => Next::Wait,
        _ => Next::LookUp,
    }
}

/// Returns how many people may be looked up with `left` credits, if a reveal takes `price` and `ready` people come
/// first: credits must be left to ask for each of them. `None`: all people who wait.
#[must_use]
pub fn affordable(left: Option<Credits>, price: Credits, ready: usize) -> Option<usize> {
    let people = left?.divided_by(price);
    Some(usize::try_from(people).unwrap_or(0).saturating_sub(ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_at_ocean_are_looked_up() {
        let address = "linkedin.com/in/ada";
        assert!(is_to_be_looked_up(Provider::Ocean, address));
        assert!(!is_to_be_looked_up(Provider::Clodura, address));
        assert!(!is_to_be_looked_up(Provider::Ocean, "ocean:p1"));
        assert_eq!(handles(&[address.to_owned(), "?".to_owned()]), ["ada", ""]);
    }

    #[test]
    fn full_reveals_go_first_and_others_wait_for_lookups() {
        for (to_look_up, is_out, ready, then) in [
            (false, false, 0, Next::Reveal { calls: 2 }),
            (false, false, 700, Next::Reveal { calls: 2 }),
            (true, false, 0, Next::LookUp),
            (true, false, 499, Next::LookUp),
            (true, false, 500, Next::Reveal { calls: 1 }),
            (true, false, 1_000, Next::Reveal { calls: 2 }),
            (true, true, 499, Next::Wait),
            (false, true, 0, Next::Wait),
            (false, true, 1_000, Next::Reveal { calls: 2 }),
        ] {
            let waiting = Waiting { to_look_up, is_out, ready };
            assert_eq!(next(waiting, 2, 500), then, "{waiting:?}");
        }
        let waiting = Waiting { to_look_up: true, is_out: false, ready: 0 };
        assert_eq!(next(waiting, 0, 500), Next::Reveal { calls: 0 }, "no request may go");
    }

    #[test]
    fn people_are_looked_up_while_credits_are_left_to_ask_for_them() {
        let left = |credits| Some(Credits::from_thousandths(credits));
        for (left, ready, people) in [
            (None, 7, None),
            (left(300_000), 0, Some(10)),
            (left(299_999), 0, Some(9)),
            (left(300_000), 4, Some(6)),
            (left(300_000), 11, Some(0)),
            (left(-1), 0, Some(0)),
        ] {
            assert_eq!(affordable(left, Credits::whole(30), ready), people, "{left:?} {ready}");
        }
    }
}
