//! Which step of its waterfall a row shows, and which rows show another when people's states change. Values only: the
//! database is read and written by `displayed_rows`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jobs::{Provider, RevealState};

/// How a step of a waterfall stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) state: RevealState,
    /// The person was found, and only with numbers of another type than the row wants.
    pub(crate) lacks: bool,
}

impl From<RevealState> for Step {
    fn from(state: RevealState) -> Self {
        Step { state, lacks: false }
    }
}

/// The step that a row shows, by its steps in their order: the first that is found with what the row wants, else the first
/// at which the row stops, else the last. Where other numbers were found, the row goes on past them; it shows them again
/// once nothing can come any more. None where there are no steps.
pub(crate) fn displayed_step<S: Into<Step>>(steps: impl IntoIterator<Item = S>) -> Option<usize> {
    let (mut stop, mut other, mut last) = (None, None, None);
    for (nth, step) in steps.into_iter().map(Into::into).enumerate() {
        match step.state {
            RevealState::Found if !step.lacks => return Some(nth),
            RevealState::Found => other = other.or(Some(nth)),
            RevealState::NotFound | RevealState::Failed => {}
            state => stop = stop.or(Some((nth, state))),
        }
        last = Some(nth);
    }
    let goes_on = |(_, state): &(usize, RevealState)| other.is_none() || !state.is_finished();
    stop.filter(goes_on).map(|(nth, _)| nth).or(other).or(last)
}

/// The step whose numbers a row has beside what it shows: the first that was found, but not with what the row wants.
pub(crate) fn kept_step<S: Into<Step>>(steps: impl IntoIterator<Item = S>) -> Option<usize> {
    let steps: Vec<Step> = steps.into_iter().map(Into::into).collect();
    let kept = steps.iter().position(|step| step.lacks)?;
    (displayed_step(steps) != Some(kept)).then_some(kept)
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
    /// Those of them that were found, and only with numbers of another type than the row wants.
    pub(crate) lacking: BTreeSet<i64>,
}

/// A row that shows another reveal from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) batch: i64,
    pub(crate) row: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The reveal whose numbers it has beside what it shows.
    pub(crate) kept: Option<i64>,
}

impl Waterfall {
    /// Where the row goes as the reveals stand; none where it stays. A step whose reveal is not among `states` is
    /// passed over.
    pub(crate) fn next(&self, states: &States) -> Option<Move> {
        let step = |id: &i64| Step { state: states[id].1, lacks: self.lacking.contains(id) };
        let known: Vec<i64> =
            self.steps.iter().copied().filter(|id| states.contains_key(id)).collect();
        let to = *known.get(displayed_step(known.iter().map(step))?)?;
        let kept = kept_step(known.iter().map(step)).and_then(|nth| known.get(nth).copied());
        let Waterfall { batch, row, shown: from, .. } = *self;
        (to != from).then_some(Move { batch, row, from, to, kept })
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
