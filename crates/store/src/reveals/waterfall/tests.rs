use jobs::RevealState::{
    self, Asked, Cancelled, Expired, Failed, Found, Idle, NotFound, Queued, Retrying,
};
use proptest::prelude::*;

use super::*;

const OCEAN: Provider = Provider::Ocean;

fn row(shown: i64, steps: &[i64]) -> Waterfall {
    Waterfall { batch: 1, row: 1, shown, steps: steps.to_vec(), lacking: BTreeSet::new() }
}

fn states(of: &[(i64, RevealState)]) -> States {
    of.iter().map(|(id, state)| (*id, (OCEAN, *state))).collect()
}

#[test]
fn the_displayed_step() {
    let table: &[(&[RevealState], Option<usize>)] = &[
        (&[], None),
        (&[Queued], Some(0)),
        (&[NotFound], Some(0)),
        (&[Asked, Idle], Some(0)),
        (&[NotFound, Idle], Some(1)),
        (&[Failed, Asked], Some(1)),
        (&[NotFound, Failed, Retrying], Some(2)),
        (&[NotFound, NotFound], Some(1)),
        (&[Expired, Idle], Some(0)),
        (&[Cancelled, Idle], Some(0)),
        (&[Asked, Found], Some(1)),
        (&[Expired, Found], Some(1)),
        (&[Found, Found], Some(0)),
        (&[NotFound, Found, Asked], Some(1)),
    ];
    for (steps, displayed) in table {
        assert_eq!(displayed_step(steps.iter().copied()), *displayed, "{steps:?}");
    }
}

#[test]
fn a_row_goes_past_other_numbers_than_it_wants() {
    let other = Step { state: Found, lacks: true };
    let of = |state: RevealState| Step::from(state);
    let table: &[(&[Step], Option<usize>, Option<usize>)] = &[
        (&[other], Some(0), None),
        (&[other, of(Idle)], Some(1), Some(0)),
        (&[other, of(Queued)], Some(1), Some(0)),
        (&[other, of(Asked)], Some(1), Some(0)),
        (&[other, of(Found)], Some(1), Some(0)),
        (&[other, of(NotFound)], Some(0), None),
        (&[other, of(Failed)], Some(0), None),
        (&[other, of(Expired)], Some(0), None),
        (&[other, of(Cancelled)], Some(0), None),
        (&[other, other], Some(0), None),
        (&[of(NotFound), other, of(Idle)], Some(2), Some(1)),
        (&[of(Expired), other], Some(1), None),
        (&[of(Asked), other], Some(0), Some(1)),
        (&[of(Found), other], Some(0), Some(1)),
    ];
    for (steps, displayed, kept) in table {
        assert_eq!(displayed_step(steps.iter().copied()), *displayed, "{steps:?}");
        assert_eq!(kept_step(steps.iter().copied()), *kept, "{steps:?}");
    }
}

#[test]
fn a_provider_named_twice_ends_at_its_second_step() {
    let states = states(&[(7, NotFound), (8, NotFound)]);
    assert_eq!(row(7, &[7, 8, 7]).next(&states), None);
    assert_eq!(row(8, &[7, 8, 7]).next(&states).map(|moved| moved.to), Some(7));
}

#[test]
fn rows_that_stay_do_not_move() {
    let states = states(&[(7, NotFound), (8, Idle), (9, Found)]);
    let rows = [row(7, &[7, 8]), row(8, &[7, 8]), row(8, &[8, 9])];
    let moves = moves(&rows, &states);
    assert_eq!(moves.iter().map(|m| (m.from, m.to)).collect::<Vec<_>>(), [(7, 8), (8, 9)]);
    assert_eq!(touched(&moves), BTreeSet::from([7, 8, 9]));
}

fn any_state() -> impl Strategy<Value = RevealState> {
    proptest::sample::select(RevealState::ALL)
}

prop_compose! {
    /// Rows over six reveals, each of which may be listed any number of times.
    fn any_ledger()(
        states in prop::collection::vec(any_state(), 6),
        steps in prop::collection::vec(prop::collection::vec(0..6i64, 1..5), 1..8),
        lacking in prop::collection::btree_set(0..6i64, 0..4),
        shown in prop::collection::vec(0..5usize, 8),
    ) -> (Vec<Waterfall>, States) {
        let states: States = (0..).zip(states).map(|(id, state)| (id, (OCEAN, state))).collect();
        let lacking: BTreeSet<i64> =
            lacking.into_iter().filter(|id| states[id].1 == Found).collect();
        let row = |(row, (steps, shown)): (i64, (Vec<i64>, usize))| Waterfall {
            batch: 1, row, shown: steps[shown % steps.len()], steps,
            // Every second row wants a type of number that some found reveals lack.
            lacking: if row % 2 == 0 { lacking.clone() } else { BTreeSet::new() },
        };
        ((0..).zip(steps.into_iter().zip(shown)).map(row).collect(), states)
    }
}

fn carried_out(rows: &[Waterfall], moves: &[Move]) -> Vec<Waterfall> {
    let mut rows = rows.to_vec();
    for moved in moves {
        for row in rows.iter_mut().filter(|row| row.row == moved.row) {
            assert_eq!(row.shown, moved.from);
            row.shown = moved.to;
        }
    }
    rows
}

proptest! {
    /// Once the moves are carried out, no further move follows, nor does one follow from the state changes that they cause.
    /// This holds whatever reveals the rows list, and however often.
    #[test]
    fn one_look_is_enough((rows, mut states) in any_ledger()) {
        let first = moves(&rows, &states);
        let rows = carried_out(&rows, &first);
        prop_assert_eq!(moves(&rows, &states), []);
        let shown: BTreeSet<i64> = rows.iter().map(|row| row.shown).collect();
        for (id, (_, state)) in &mut states {
            *state = match (*state, shown.contains(id)) {
                (Idle, true) => Queued,
                (Queued | Retrying, false) => Idle,
                (state, _) => state,
            };
        }
        prop_assert_eq!(moves(&rows, &states), []);
    }

    /// A row shows a found step if it has one. It passes over no step that may still be found, and over no `expired` step.
    #[test]
    fn no_step_is_passed_over((rows, states) in any_ledger()) {
        for row in carried_out(&rows, &moves(&rows, &states)) {
            let state = |id: &i64| states[id].1;
            let place = row.steps.iter().position(|id| *id == row.shown).unwrap();
            let satisfies = |id: &i64| state(id) == Found && !row.lacking.contains(id);
            if row.steps.iter().any(satisfies) {
                prop_assert!(satisfies(&row.shown));
            } else if !row.lacking.contains(&row.shown) {
                let mut passed = row.steps[..place].iter();
                let over = |id: &i64| {
                    matches!(state(id), NotFound | Failed) || row.lacking.contains(id)
                };
                prop_assert!(passed.all(over));
            } else {
                let stops = |id: &&i64| !matches!(state(id), Found | NotFound | Failed);
                let stop = row.steps.iter().find(stops).map(state);
                prop_assert!(stop.is_none_or(RevealState::is_finished), "it goes on");
            }
        }
    }

    /// The order in which two changes are seen makes no difference to the step at which a row ends.
    #[test]
    fn the_order_of_changes_does_not_matter((rows, states) in any_ledger(), id in 0..6i64, to in any_state()) {
        let mut later = states.clone();
        // A found reveal stays found.
        if states[&id].1 != Found {
            later.insert(id, (OCEAN, to));
        }
        let straight = carried_out(&rows, &moves(&rows, &later));
        let before = carried_out(&rows, &moves(&rows, &states));
        prop_assert_eq!(carried_out(&before, &moves(&before, &later)), straight);
    }
}
