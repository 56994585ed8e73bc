//! A ledger of one provider in memory: what submits decide, and how that changes rows and reveals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::row;
use crate::identity::choice::{Standing, asked_by, counting, gives_way, next_generation};
use crate::identity::{Links, Persons};
use crate::{Provider, RevealState, Timestamp};

#[derive(Debug, Clone)]
struct Reveal {
    subject: Arc<str>,
    generation: i64,
    state: RevealState,
    revealed_at: Option<Timestamp>,
    gave_way_to: Option<usize>,
}

#[derive(Debug, Default)]
struct Ledger {
    links: Links,
    reveals: Vec<Reveal>,
    /// The reveal that each row shows, and the row's identifiers.
    rows: Vec<(usize, Vec<Arc<str>>)>,
    now: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Submit {
        identifiers: Vec<Arc<str>>,
        refresh: bool,
    },
    /// Moves a reveal to another state. Its number is taken modulo the number of reveals.
    Move {
        reveal: usize,
        to: RevealState,
    },
}

impl Ledger {
    fn standings(&self, identifiers: &[Arc<str>]) -> Vec<Standing<'_>> {
        let all = (0..).zip(&self.reveals);
        all.filter(|(_, reveal)| identifiers.contains(&reveal.subject))
            .map(|(id, reveal)| Standing {
                id,
                subject: &reveal.subject,
                generation: reveal.generation,
                state: reveal.state,
                revealed_at: reveal.revealed_at,
            })
            .collect()
    }

    fn submit(&mut self, identifiers: &[Arc<str>], refresh: bool) {
        self.now += 1;
        for (nth, one) in identifiers.iter().enumerate() {
            identifiers[nth + 1..].iter().for_each(|other| {
                self.links.join(one, other);
            });
        }
        let own = |id: &&Arc<str>| id.starts_with("clodura:") || id.starts_with("linkedin");
        let Some(asks_by) = identifiers.iter().find(own).cloned() else { return };
        let persons = self.links.persons();
        let person = persons.with(&asks_by);
        let all = self.standings(person);
        let limit = refresh.then_some(Timestamp(self.now));
        let Some(winner) = counting(&all, limit) else {
            let subject = asked_by(Provider::Clodura, &asks_by, person, &all).clone();
            let (generation, state) = (next_generation(&all), RevealState::Queued);
            self.rows.push((self.reveals.len(), identifiers.to_vec()));
            self.reveals.push(Reveal {
                subject,
                generation,
                state,
                revealed_at: None,
                gave_way_to: None,
            });
            return;
        };
        let losers: Vec<usize> =
            all.iter().filter(|it| gives_way(it, &winner)).map(|it| it.id as usize).collect();
        let raised = refresh.then(|| next_generation(&all));
        let winner = winner.id as usize;
        self.rows.push((winner, identifiers.to_vec()));
        let shown = &mut self.reveals[winner];
        if shown.state == RevealState::Idle {
            shown.state = RevealState::Queued;
            shown.gave_way_to = None;
        }
        if let Some(generation) = raised.filter(|_| !shown.state.is_finished()) {
            shown.generation = shown.generation.max(generation - 1);
        }
        for loser in losers {
            let reveal = &mut self.reveals[loser];
            (reveal.state, reveal.gave_way_to) = (RevealState::Idle, Some(winner));
            self.rows.iter_mut().filter(|row| row.0 == loser).for_each(|row| row.0 = winner);
        }
    }

    /// Moves a reveal to another state, if the reveal can take that step.
    fn step(&mut self, reveal: usize, to: RevealState) {
        use RevealState::{Asked, Expired, Failed, Found, NotFound, Queued, Retrying};
        self.now += 1;
        if self.reveals.is_empty() {
            return;
        }
        let reveal = reveal % self.reveals.len();
        let reveal = &mut self.reveals[reveal];
        let may = matches!(
            (reveal.state, to),
            (Queued, Asked | Retrying)
                | (Retrying, Queued)
                | (Asked, Queued | Found | NotFound | Expired | Failed)
                | (Expired, Found | NotFound)
        );
        if may {
            reveal.state = to;
            reveal.revealed_at = to.is_finished().then_some(Timestamp(self.now));
        }
    }

    fn check(&self) {
        for (shown, identifiers) in &self.rows {
            let reveal = &self.reveals[*shown];
            assert_ne!(reveal.state, RevealState::Idle, "{identifiers:?} shows {reveal:?}");
        }
        let shown: BTreeSet<usize> = self.rows.iter().map(|(shown, _)| *shown).collect();
        for (id, reveal) in self.reveals.iter().enumerate() {
            let waits = matches!(reveal.state, RevealState::Queued | RevealState::Retrying);
            assert!(!waits || shown.contains(&id), "no row wants {reveal:?}");
            let mut next = reveal.gave_way_to;
            for _ in 0..=self.reveals.len() {
                next = next.and_then(|id| self.reveals[id].gave_way_to);
            }
            assert_eq!(next, None, "{reveal:?} gives way in a circle");
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(RevealState::ALL);
    prop_oneof![
        (row(), any::<bool>())
            .prop_map(|(identifiers, refresh)| Step::Submit { identifiers, refresh }),
        (any::<usize>(), state).prop_map(|(reveal, to)| Step::Move { reveal, to }),
    ]
}

/// Returns the reveals that each person's rows show, where nothing was sent yet.
fn shown_by_person(ledger: &Ledger, persons: &Persons) -> BTreeMap<Vec<Arc<str>>, BTreeSet<usize>> {
    let mut shown: BTreeMap<Vec<Arc<str>>, BTreeSet<usize>> = BTreeMap::new();
    for (reveal, identifiers) in &ledger.rows {
        let person = persons.with(&ledger.reveals[*reveal].subject);
        assert!(person.contains(&identifiers[identifiers.len() - 1]));
        shown.entry(person.to_vec()).or_default().insert(*reveal);
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rows_show_what_can_move_or_its_end(steps in prop::collection::vec(step(), 0..40)) {
        let mut ledger = Ledger::default();
        for step in steps {
            match step {
                Step::Submit { identifiers, refresh } => ledger.submit(&identifiers, refresh),
                Step::Move { reveal, to } => ledger.step(reveal, to),
            }
            ledger.check();
        }
    }

    #[test]
    fn the_order_of_submits_does_not_matter(
        rows in prop::collection::vec(row(), 0..10).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let ledgers = [rows.0, rows.1].map(|rows| {
            let mut ledger = Ledger::default();
            // Contradictory evidence leaves rows where they are, so such cases are left out.
            let mut all = Ledger::default();
            rows.iter().for_each(|row| all.submit(row, false));
            if all.links.persons().contradictions().is_empty() {
                rows.iter().for_each(|row| ledger.submit(row, false));
                // All rows are submitted once more, now that the evidence is complete.
                rows.iter().for_each(|row| ledger.submit(row, false));
            }
            ledger
        });
        let [one, other] = ledgers.map(|ledger| {
            let shown = shown_by_person(&ledger, &ledger.links.persons());
            assert!(shown.values().all(|reveals| reveals.len() == 1), "a person is asked for once");
            shown.into_keys().collect::<Vec<_>>()
        });
        prop_assert_eq!(one, other);
    }
}
