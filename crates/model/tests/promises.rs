//! Searches the model in full: every promise holds with all guards, and no guard can be spared.

#![allow(missing_docs, reason = "tests are described by their names")]

use std::collections::BTreeMap;

use model::{Action, Bounds, Guard, Promise, Rules};
use stateright::{Checker, HasDiscoveries, Model};

/// Two people in one call. The user asks once more for people who expired.
const PAYING_AGAIN: Bounds = Bounds {
    calls: 2,
    people_per_call: 2,
    ceiling: 4,
    bodies: 1,
    contradicts: false,
    grace: false,
    pays_again: true,
    erases: false,
};

/// Requests of unknown outcome are repeated.
const GRACE: Bounds = Bounds { grace: true, pays_again: false, ..PAYING_AGAIN };

/// As [`GRACE`], and a repeat may be repeated.
const LONG_GRACE: Bounds = Bounds { calls: 3, ..GRACE };

/// Each person in a call of their own, and credits for one.
const CEILING: Bounds = Bounds { calls: 3, people_per_call: 1, ceiling: 1, ..PAYING_AGAIN };

/// The provider sends each result twice, or also sends a wrong one.
const TWO_BODIES: Bounds =
    Bounds { bodies: 2, contradicts: true, pays_again: false, ..PAYING_AGAIN };

/// The user erases people.
const ERASING: Bounds = Bounds { erases: true, pays_again: false, ..PAYING_AGAIN };

const ALL: [Bounds; 6] = [PAYING_AGAIN, GRACE, LONG_GRACE, CEILING, TWO_BODIES, ERASING];

/// Returns the broken promises, each with the actions that break it.
fn broken(rules: Rules, find: HasDiscoveries) -> BTreeMap<&'static str, Vec<Action>> {
    let checker = rules.checker().finish_when(find).spawn_bfs().join();
    println!("{rules:?}: {} states", checker.unique_state_count());
    let paths = checker.discoveries().into_iter();
    paths.map(|(promise, path)| (promise, path.into_actions())).collect()
}

#[test]
fn every_promise_is_kept() {
    for bounds in ALL {
        let found = broken(Rules { bounds, without: None }, HasDiscoveries::AnyFailures);
        assert_eq!(found, BTreeMap::new(), "{bounds:?}");
    }
}

#[test]
fn no_guard_can_be_spared() {
    use Guard::*;
    use Promise::*;
    for (without, bounds, promise) in [
        (WrittenBeforeSent, PAYING_AGAIN, PaidOnce),
        (FreshWhenSent, GRACE, PaidOnce),
        (RefusalsAreFenced, LONG_GRACE, PaidOnce),
        (TakesOver, PAYING_AGAIN, NothingIsLost),
        (TakenOverIsUnknown, PAYING_AGAIN, PaidOnce),
        (HasDeadline, PAYING_AGAIN, NothingIsLost),
        (ExpiredStaysCounted, CEILING, CeilingHolds),
        (Reserves, CEILING, CeilingHolds),
        (LateResultsCount, PAYING_AGAIN, NothingIsLost),
        (LateResultsAnswerNewer, PAYING_AGAIN, NeverKnowinglyAgain),
        (AnsweredIsNotRepeated, GRACE, NeverKnowinglyAgain),
        (TakesBack, GRACE, NeverKnowinglyAgain),
        (KeepsTheBetter, TWO_BODIES, BetterStays),
        (DiscardsErased, ERASING, ErasedIsGone),
        (StoredBeforeConfirmed, PAYING_AGAIN, NothingIsLost),
    ] {
        let find = HasDiscoveries::AnyOf([promise.name()].into());
        let found = broken(Rules { bounds, without: Some(without) }, find);
        let path = found.get(promise.name());
        assert!(path.is_some(), "without {without:?} still {:?}: {found:?}", promise.name());
        println!("without {without:?}: {path:?}");
    }
}
