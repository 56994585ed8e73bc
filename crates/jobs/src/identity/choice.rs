use std::cmp::Reverse;

use super::is_address;
use crate::person::IdentifierKind;
use crate::{Provider, RevealState, Timestamp};

/// A reveal of a person at one provider, as far as choosing among several is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Its number.
    pub id: i64,
    /// The identifier by which the provider is asked.
    pub subject: &'a str,
    /// Grows with every time that the person is asked for anew, under whichever identifier.
    pub generation: i64,
    /// Where it stands.
    pub state: RevealState,
    /// When it was answered.
    pub revealed_at: Option<Timestamp>,
}

/// The one order of a person's reveals: a known number, then what may have been paid for and is still out, then what waits,
/// then what is over.
fn preference(state: RevealState) -> u8 {
    match state {
        RevealState::Found => 7,
        RevealState::Asked => 6,
        RevealState::Queued | RevealState::Retrying => 5,
        RevealState::NotFound => 4,
        RevealState::Expired => 3,
        RevealState::Idle => 2,
        RevealState::Failed => 1,
        RevealState::Cancelled => 0,
    }
}

impl<'a> Standing<'a> {
    /// Greater is preferred. A number that came later is the better one; of two that wait it is the one asked for anew,
    /// then the one asked by an id.
    fn order(&self) -> impl Ord + use<'a> {
        let found_at = self.revealed_at.filter(|_| self.state == RevealState::Found);
        (
            preference(self.state),
            found_at,
            self.generation,
            !is_address(self.subject),
            Reverse(self.subject),
            Reverse(self.id),
        )
    }

    /// A failed person was never paid for, so asking afresh is what a new submit means; an answer that is older than the
    /// submit accepts is asked for again. What is out, or waits, is never asked anew.
    fn is_outdated(&self, all: &[Standing<'_>], refresh_before: Option<Timestamp>) -> bool {
        let Some(limit) = refresh_before else { return self.state == RevealState::Failed };
        match self.state {
            RevealState::Failed => true,
            RevealState::Found | RevealState::NotFound => {
                self.revealed_at.is_some_and(|at| at < limit)
            }
            RevealState::Expired => all.iter().any(|other| {
                other.subject == self.subject
                    && other.generation > self.generation
                    && matches!(other.state, RevealState::Found | RevealState::NotFound)
            }),
            _ => false,
        }
    }
}

/// The reveal that counts for a submit among all of a person's at a provider; none where the person is to be asked for.
#[must_use]
pub fn counting<'a>(
    all: &[Standing<'a>],
    refresh_before: Option<Timestamp>,
) -> Option<Standing<'a>> {
    let valid = all.iter().filter(|reveal| !reveal.is_outdated(all, refresh_before));
    valid.max_by_key(|reveal| reveal.order()).copied()
}

/// The reveal that counts for a row that is asked again, where those in `again` are what it is asked again for.
#[must_use]
pub fn counting_for_retry<'a>(
    all: &[Standing<'a>],
    again: impl Fn(RevealState) -> bool,
) -> Option<Standing<'a>> {
    let valid =
        all.iter().filter(|reveal| reveal.state != RevealState::Failed && !again(reveal.state));
    valid.max_by_key(|reveal| reveal.order()).copied()
}

/// Whether a row that can't ask a provider itself shares what another row asks there.
#[must_use]
pub fn is_worth_waiting_for(state: RevealState) -> bool {
    state == RevealState::Found || !state.is_finished()
}

/// Whether a reveal makes way for another one of the same person: only what was not sent does, and never for what was
/// asked before it, since it may have been wanted for being newer. The winner is greater in one order, so no two make
/// way for each other.
#[must_use]
pub fn gives_way(reveal: &Standing<'_>, to: &Standing<'_>) -> bool {
    let waits =
        matches!(reveal.state, RevealState::Idle | RevealState::Queued | RevealState::Retrying);
    waits
        && reveal.subject != to.subject
        && reveal.generation <= to.generation
        && to.order() > reveal.order()
}

/// The generation of a person's next reveal.
#[must_use]
pub fn next_generation(all: &[Standing<'_>]) -> i64 {
    all.iter().map(|reveal| reveal.generation + 1).max().unwrap_or(0)
}

/// The identifier by which a person is asked for anew: an id before an address, and none that was refused while there is
/// another. `own` is what the row says, `known` what else is known to be the person's.
#[must_use]
pub fn asked_by<'a, T: AsRef<str>>(
    provider: Provider,
    own: &'a T,
    known: &'a [T],
    all: &[Standing<'_>],
) -> &'a T {
    let place = |identifier: &T| {
        let kind = IdentifierKind::of_encoded(identifier.as_ref())?;
        provider.asks_by().iter().position(|by| *by == kind)
    };
    let mut choices: Vec<(usize, &T)> = Vec::new();
    choices.extend(place(own).map(|kind| (kind, own)));
    choices.extend(known.iter().filter_map(|identifier| Some((place(identifier)?, identifier))));
    choices.sort_by_key(|(kind, _)| *kind);
    let refused = |identifier: &str| {
        let of_it = all.iter().filter(|reveal| reveal.subject == identifier);
        let newest = of_it.max_by_key(|reveal| reveal.generation);
        newest.is_some_and(|reveal| reveal.state == RevealState::Failed)
    };
    let best = choices.iter().find(|(_, identifier)| !refused(identifier.as_ref()));
    best.or(choices.first()).map_or(own, |(_, identifier)| identifier)
}
