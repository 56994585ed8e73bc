//! Which step of its waterfall a row shows, and which rows show another when people's states change. Values only: the
//! database is read and written by `shown`.

use std::collections::{BTreeMap, BTreeSet};

use jobs::{Provider, RevealState};

/// The step that a row shows, by the states of its steps in their order: the first that is found, else the first at
/// which the row stops, else the last. None where there are no steps.
pub(crate) fn displayed_step(states: impl IntoIterator<Item = RevealState>) -> Option<usize> {
    let (mut stop, mut last) = (None, None);
    for (step, state) in states.into_iter().enumerate() {
        match state {
            RevealState::Found => return Some(step),
            RevealState::NotFound | RevealState::Failed => {}
            _ => stop = stop.or(Some(step)),
        }
        last = Some(step);
    }
    stop.or(last)
}

/// Whether a reveal in this state waits to be asked, or for a row that wants it.
pub(crate) fn waits(state: RevealState) -> bool {
    matches!(state, RevealState::Idle | RevealState::Queued | RevealState::Retrying)
}

/// How reveals stand, by their ids.
pub(crate) type States = BTreeMap<i64, (Provider, RevealState)>;

/// A row that asks several providers in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waterfall {
    pub(crate) batch: i64,
    pub(crate) row: i64,
    /// The reveal that the row shows.
    pub(crate) shown: i64,
    /// The reveals of its steps, in their order.
    pub(crate) steps: Vec<i64>,
}

/// A row that shows another reveal from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) batch: i64,
    pub(crate) row: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Waterfall {
    /// Where the row goes as the reveals stand; none where it stays. A step whose reveal is not among `states` is
    /// passed over.
    pub(crate) fn next(&self, states: &States) -> Option<Move> {
        let known: Vec<(i64, RevealState)> =
            self.steps.iter().filter_map(|id| Some((*id, states.get(id)?.1))).collect();
        let (to, _) = *known.get(displayed_step(known.iter().map(|(_, state)| *state))?)?;
        let Waterfall { batch, row, shown: from, .. } = *self;
        (to != from).then_some(Move { batch, row, from, to })
    }
}

/// What follows for the rows: those that show another reveal from now on. One look is enough, since what the moves
/// cause (a reveal comes into the queue or leaves it) changes no row's displayed step.
pub(crate) fn moves(rows: &[Waterfall], states: &States) -> Vec<Move> {
    rows.iter().filter_map(|row| row.next(states)).collect()
}

/// The reveals that rows began or ceased to show.
pub(crate) fn touched(moves: &[Move]) -> BTreeSet<i64> {
    moves.iter().flat_map(|moved| [moved.from, moved.to]).collect()
}

#[cfg(test)]
mod tests;
