use jobs::{CallState, RevealState};

use crate::guard::Rules;
use crate::state::{Answer, Call, Member, State, Worker};

/// A promise of README.md, as far as a state can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// No person is charged twice, unless the user agreed to have a request repeated that had left.
    PaidOnce,
    /// No person waits to be asked for if their number is stored, or if their request is known to be accepted and may
    /// still bring a result.
    NeverKnowinglyAgain,
    /// The provider never charges more than the ceiling of the batch.
    CeilingHolds,
    /// Once nothing more happens by itself, everything has ended, and the rows show each number that was
    /// confirmed.
    NothingIsLost,
    /// No number of an erased person is stored.
    ErasedIsGone,
    /// A number that was found stays found.
    BetterStays,
}

impl Promise {
    /// Every promise.
    pub const ALL: [Promise; 6] = [
        Promise::PaidOnce,
        Promise::NeverKnowinglyAgain,
        Promise::CeilingHolds,
        Promise::NothingIsLost,
        Promise::ErasedIsGone,
        Promise::BetterStays,
    ];

    /// The name of the promise.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Promise::PaidOnce => "no person is charged twice unasked",
            Promise::NeverKnowinglyAgain => "no person is asked for again against better knowledge",
            Promise::CeilingHolds => "the ceiling holds",
            Promise::NothingIsLost => "nothing is lost",
            Promise::ErasedIsGone => "no number of an erased person is stored",
            Promise::BetterStays => "a result is never replaced by a worse one",
        }
    }
}

impl State {
    fn members(&self) -> impl Iterator<Item = (&Call, &Member)> {
        self.calls.iter().flat_map(|call| call.members.iter().map(move |member| (call, member)))
    }

    fn charged(&self) -> impl Iterator<Item = &Member> {
        let members = self.members().map(|(_, member)| member);
        members.filter(|member| member.result == Some(Answer::Found))
    }

    pub(crate) fn is_paid_once(&self) -> bool {
        let unasked = |person: usize| {
            self.charged().filter(|one| self.person(one) == person && !one.repeated).count()
        };
        (0..self.shown.len()).all(|person| unasked(person) <= 1)
    }

    pub(crate) fn is_never_asked_knowingly(&self) -> bool {
        let queued = self.shown.iter().filter(|&&id| self.reveals[id].state == RevealState::Queued);
        queued.into_iter().all(|&id| {
            let person = self.reveals[id].person;
            let has_number =
                |at: usize| self.reveals[at].person == person && self.reveals[at].number;
            let is_out = |(call, member): (&Call, &Member)| {
                member.reveal == id && call.awaited && member.answer.is_none()
            };
            !(0..self.reveals.len()).any(has_number) && !self.members().any(is_out)
        })
    }

    pub(crate) fn keeps_ceiling(&self, rules: &Rules) -> bool {
        i64::try_from(self.charged().count()).is_ok_and(|spent| spent <= rules.bounds.ceiling)
    }

    pub(crate) fn stores_no_erased_number(&self) -> bool {
        !self.reveals.iter().any(|reveal| self.erased[reveal.person] && reveal.number)
    }

    pub(crate) fn keeps_better(&self) -> bool {
        let kept = |state| matches!(state, RevealState::Found | RevealState::Cancelled);
        self.reveals.iter().all(|reveal| !reveal.had_number || kept(reveal.state))
    }

    /// Whether everything has ended. A person who is still in the queue is not lost: no credits or no more
    /// calls are left in this small model.
    pub(crate) fn is_at_rest(&self) -> bool {
        let over = |call: &Call| {
            let open = [CallState::Sending, CallState::Accepted, CallState::Unknown];
            !call.written || !open.contains(&call.state)
        };
        let ends = |&id: &usize| {
            let state = self.reveals[id].state;
            state.is_finished() || state == RevealState::Queued
        };
        self.inbox.is_empty()
            && self.workers.iter().all(|worker| *worker == Worker::Idle)
            && self.calls.iter().all(over)
            && self.shown.iter().all(ends)
            && self.shows_confirmed()
    }

    fn shows_confirmed(&self) -> bool {
        self.members().filter(|(_, member)| member.number_confirmed).all(|(_, member)| {
            let person = self.person(member);
            self.erased[person] || self.reveals[self.shown[person]].number
        })
    }
}
