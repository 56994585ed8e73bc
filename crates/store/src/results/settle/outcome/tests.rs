use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jobs::Provider;
use proptest::prelude::*;

use super::*;

const PRICE: Credits = Credits::whole(20);

fn number(e164: Option<&str>) -> Finding {
    let phone = Phone::new("+45 1".into(), e164.map(str::to_owned), None, None);
    Finding::Found { phones: vec![phone], credits: None }
}

fn finding(word: &str) -> Finding {
    match word {
        "found" => number(Some("+451")),
        "odd number" => number(None),
        "not found" => Finding::NotFound,
        "unreadable" => Finding::Unreadable,
        "in progress" => Finding::InProgress,
        "no credits" => Finding::OutOfCredits,
        other => panic!("{other}"),
    }
}

const FINDINGS: [&str; 6] =
    ["found", "odd number", "not found", "unreadable", "in progress", "no credits"];

/// A ledger with a call for one person, who stands at `state`.
fn ledger(state: RevealState) -> Ledger {
    let member = Member {
        call: 1,
        position: 0,
        reveal: 1,
        subject: "clodura:c1".into(),
        payer: 1,
        reserved: PRICE,
        credits: None,
        expired_call: false,
        current: true,
        changed: false,
        answered: false,
        spent: Credits::ZERO,
        found: false,
        not_found: 0,
        unasked: false,
        asked_after_all: false,
    };
    let person = Person {
        provider: Provider::Clodura,
        state,
        new_state: None,
        credits: Credits::ZERO,
        phones: Vec::new(),
        remark: None,
    };
    Ledger {
        calls: HashMap::new(),
        members: vec![member],
        people: BTreeMap::from([(1, person)]),
        aliases: Vec::new(),
        erasure_key: None,
        erased: BTreeSet::new(),
        naming_erased: Vec::new(),
        unknown_people: Vec::new(),
        out_of_credits: HashSet::new(),
        taken_after_all: BTreeSet::new(),
    }
}

impl Ledger {
    /// Places a finding, as `Ledger::place` does in a transaction of its own.
    fn answer(&mut self, word: &str) {
        let result = PersonResult { person_id: None, finding: finding(word), remark: None };
        let charged = self.is_charged(0, &result.finding).then_some(PRICE);
        let _ = self.place(0, &result, charged);
        if let Some(person) = self.people.get_mut(&1) {
            person.state = person.new_state.take().unwrap_or(person.state);
        }
    }

    /// What is known of the person, and what was spent and counted for them.
    fn standing(&self) -> (RevealState, Option<Credits>, Credits, i64) {
        let (person, member) = (&self.people[&1], &self.members[0]);
        assert_eq!(person.credits, member.spent, "the person and the call cost the same");
        (person.state, member.credits, member.spent, member.not_found)
    }
}

#[test]
fn each_finding_changes_what_it_knows_better() {
    use RevealState::{Asked, Cancelled, Expired, Found, NotFound, Queued};
    let (free, paid) = (Some(Credits::ZERO), Some(PRICE));
    // Where the person stands, what comes, where the person stands then, and the credits of the call's member.
    type Case = (RevealState, &'static [&'static str], RevealState, Option<Credits>);
    let table: &[Case] = &[
        (Asked, &["found"], Found, paid),
        (Asked, &["odd number"], Found, paid),
        (Asked, &["not found"], NotFound, free),
        (Asked, &["in progress"], Asked, None),
        (Asked, &["unreadable"], Asked, None),
        (Asked, &["no credits"], Queued, free),
        (Asked, &["unreadable", "found"], Found, paid),
        (Asked, &["in progress", "not found"], NotFound, free),
        (Asked, &["found", "not found"], Found, paid),
        (Asked, &["found", "no credits"], Found, paid),
        (Asked, &["found", "found"], Found, paid),
        (Asked, &["not found", "found"], Found, paid),
        // A leaked address must not turn a final result into anything else.
        (Asked, &["not found", "odd number"], NotFound, free),
        (Asked, &["not found", "no credits"], NotFound, free),
        (Asked, &["no credits", "found"], Found, paid),
        (Asked, &["no credits", "no credits"], Queued, free),
        (Expired, &["found"], Found, paid),
        (Expired, &["not found"], NotFound, free),
        // An erased person stays so. What the provider took for the person is still counted.
        (Cancelled, &["found"], Cancelled, paid),
        (Cancelled, &["not found"], Cancelled, free),
        (Cancelled, &["in progress"], Cancelled, None),
    ];
    for (state, answers, expected, credits) in table {
        let mut ledger = ledger(*state);
        answers.iter().for_each(|word| ledger.answer(word));
        let (state, charged, ..) = ledger.standing();
        assert_eq!((state, charged), (*expected, *credits), "{state:?} and {answers:?}");
    }
}

proptest! {
    #[test]
    fn findings_in_any_order_charge_once_and_may_come_again(
        words in prop::collection::vec(prop::sample::select(&FINDINGS[..]), 0..8),
    ) {
        let mut ledger = ledger(RevealState::Asked);
        let mut found = false;
        for word in &words {
            ledger.answer(word);
            let (state, credits, spent, not_found) = ledger.standing();
            prop_assert!(!found || state == RevealState::Found, "a number was lost: {words:?}");
            found = state == RevealState::Found;
            prop_assert_eq!(spent, if found { PRICE } else { Credits::ZERO });
            prop_assert_eq!(credits.unwrap_or(Credits::ZERO), spent);
            prop_assert!((0..=1).contains(&not_found));
        }
        let known = ledger.standing();
        words.iter().for_each(|word| ledger.answer(word));
        prop_assert_eq!(ledger.standing(), known, "all of it once more: {:?}", words);
    }
}
