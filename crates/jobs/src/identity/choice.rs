use std::cmp::Reverse;

use super::is_address;
use crate::person::IdentifierKind;
use crate::{Provider, RevealState, Timestamp};

/// A reveal of a person at one provider, as far as choosing among several is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The ledger's number of the reveal.
    pub id: i64,
    /// The identifier by which the provider is asked.
    pub subject: &'a str,
    /// Grows each time the person is asked for again, under any identifier.
    pub generation: i64,
    /// The state of the reveal.
    pub state: RevealState,
    /// When the reveal was answered.
    pub revealed_at: Option<Timestamp>,
}

/// Ranks a person's reveals: first a known number, then reveals that may have been paid for and are still out, then
/// those that wait, then those that are over.
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
    /// Returns the key by which reveals are compared; the greatest is preferred. A later number is the better one. Of
    /// two reveals that wait, the one that is asked for again comes first, then the one that is asked by an id.
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

    /// Whether a submit asks for the person again in spite of this reveal. A failed person was never paid for, so a new
    /// submit asks again. An answer that is older than the submit accepts is asked for again. A reveal that is out, or
    /// waits, is never asked again.
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

/// Returns the reveal that counts for a submit among all of a person's reveals at a provider; `None` if the person is
/// to be asked for.
#[must_use]
pub fn counting<'a>(
    all: &[Standing<'a>],
    refresh_before: Option<Timestamp>,
) -> Option<Standing<'a>> {
    let valid = all.iter().filter(|reveal| !reveal.is_outdated(all, refresh_before));
    valid.max_by_key(|reveal| reveal.order()).copied()
}

/// Returns the reveal that counts for a row that is asked again. Reveals in a state that `again` accepts don't count:
/// they are what the row is asked again for.
#[must_use]
pub fn counting_for_retry<'a>(
    all: &[Standing<'a>],
    again: impl Fn(RevealState) -> bool,
) -> Option<Standing<'a>> {
    let valid =
        all.iter().filter(|reveal| reveal.state != RevealState::Failed && !again(reveal.state));
    valid.max_by_key(|reveal| reveal.order()).copied()
}

/// Whether a row that can't ask a provider itself shares a reveal in this state that another row asked for.
#[must_use]
pub fn is_worth_waiting_for(state: RevealState) -> bool {
    state == RevealState::Found || !state.is_finished()
}

/// Whether a reveal gives way to another reveal of the same person. Only a reveal that was not sent does, and never to
/// one that was asked for before it, since it may have been wanted for being newer. All reveals have one order, so no
/// two give way to each other.
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

/// Returns the identifier by which a person is asked for again: an id before an address, and a refused identifier only
/// if there is no other. `own` is the identifier of the row, `known` holds the other known identifiers of the person.
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
