//! The step of its waterfall that a row shows, and the rows that show another step when states change. This module works on
//! values only; `displayed_rows` reads and writes the database.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jobs::{Provider, RevealState};

/// The standing of one step of a waterfall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) state: RevealState,
    /// The person was found, but only with numbers of another type than the row wants.
    pub(crate) lacks: bool,
}

impl From<RevealState> for Step {
    fn from(state: RevealState) -> Self {
        Step { state, lacks: false }
    }
}

/// Returns the step that a row shows: the first step that is found with a number that the row wants, else the first step at
/// which the row stops, else the last step. The row goes on past a step at which only other numbers were found, and shows
/// that step again once no further result can come. Returns `None` if there are no steps.
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

/// Returns the step whose numbers a row shows in addition to its displayed step: the first step that was found, but without
/// a number that the row wants.
pub(crate) fn kept_step<S: Into<Step>>(steps: impl IntoIterator<Item = S>) -> Option<usize> {
    let steps: Vec<Step> = steps.into_iter().map(Into::into).collect();
    let kept = steps.iter().position(|step| step.lacks)?;
    (displayed_step(steps) != Some(kept)).then_some(kept)
}

/// Returns whether a reveal in this state waits to be asked, or waits for a row that wants it.
pub(crate) fn waits(state: RevealState) -> bool {
    matches!(state, RevealState::Idle | RevealState::Queued | RevealState::Retrying)
}

/// The providers and states of reveals, by their ids.
pub(crate) type States = BTreeMap<i64, (Provider, RevealState)>;

/// A row that asks several providers one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waterfall {
    pub(crate) batch: i64,
    pub(crate) row: i64,
    /// The reveal that the row shows.
    pub(crate) shown: i64,
    /// The reveals of its steps, in their order.
    pub(crate) steps: Vec<i64>,
    /// Those of the steps that were found, but only with numbers of another type than the row wants.
    pub(crate) lacking: BTreeSet<i64>,
}

/// A row that shows another reveal from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) batch: i64,
    pub(crate) row: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The reveal whose numbers the row shows in addition.
    pub(crate) kept: Option<i64>,
}

impl Waterfall {
    /// Returns the move that follows from the states of the reveals, or `None` if the row stays. A step whose reveal is not
    /// among `states` is skipped.
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

/// Returns the moves of all rows that show another reveal from now on. One pass is enough, since the effect of a move (a
/// reveal enters or leaves the queue) changes no row's displayed step.
pub(crate) fn moves(rows: &[Waterfall], states: &States) -> Vec<Move> {
    rows.iter().filter_map(|row| row.next(states)).collect()
}

/// Returns the reveals that rows began or ceased to show.
pub(crate) fn touched(moves: &[Move]) -> BTreeSet<i64> {
    moves.iter().flat_map(|moved| [moved.from, moved.to]).collect()
}
