use std::collections::BTreeSet;

use jobs::{CallState, RevealState};

use crate::guard::{Guard, Rules};

/// People who are asked for.
pub const PEOPLE: usize = 2;
/// Workers that ask for them.
pub const WORKERS: usize = 2;

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Who has a number, as only the provider knows.
    pub truth: [bool; PEOPLE],
    /// The people at the provider, in all generations.
    pub reveals: Vec<Reveal>,
    /// Which reveal the row of each person shows.
    pub shown: [usize; PEOPLE],
    /// Who was erased.
    pub erased: [bool; PEOPLE],
    /// The requests, the oldest first.
    pub calls: Vec<Call>,
    /// What each worker has in its memory.
    pub workers: [Worker; WORKERS],
    /// Bodies of webhooks that were confirmed and are not applied yet.
    pub inbox: BTreeSet<Body>,
}

/// One person, asked for once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reveal {
    /// Who.
    pub person: usize,
    /// Grows each time that the person is asked for anew.
    pub generation: i64,
    /// As in the ledger.
    pub state: RevealState,
    /// The last call that it was in.
    pub call: Option<usize>,
    /// The call that was to be repeated, and may turn out to be taken.
    pub repeat_of: Option<usize>,
    /// Whether a number is stored.
    pub number: bool,
    /// Whether a number ever was.
    pub had_number: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// As in the ledger.
    pub state: CallState,
    /// Whether it is in the ledger at all.
    pub written: bool,
    /// How far it came.
    pub request: Request,
    /// Whether the ledger learnt that the provider took it, and its deadline is not over.
    pub awaited: bool,
    /// The people in it.
    pub members: Vec<Member>,
}

/// A person in a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Who.
    pub reveal: usize,
    /// What the ledger knows of it.
    pub answer: Option<Answer>,
    /// What the provider says; a number is charged when it is said first.
    pub result: Option<Answer>,
    /// Bodies that were confirmed.
    pub confirmed: u8,
    /// A body with a number was.
    pub number_confirmed: bool,
    /// The user agreed to have the person asked for again although this request had left.
    pub repeated: bool,
}

/// What a call came to for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// A number, for one credit.
    Found,
    /// No number, for nothing.
    NotFound,
    /// The provider was never asked, or refused.
    Released,
}

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Not sent.
    Held,
    /// It left.
    Sent,
    /// The provider took it.
    Taken,
    /// The provider refused it.
    Refused,
}

/// What a worker has in its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worker {
    /// Nothing.
    Idle,
    /// A call that it may send.
    Holds {
        /// Which.
        call: usize,
        /// More than five seconds went by since the claim.
        stale: bool,
    },
    /// A request that it waits for.
    Waits(usize),
    /// A response that it is to write down.
    Knows(usize, Response),
}

/// What a request came to, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Response {
    /// The provider took it.
    Accepted,
    /// The provider refused it.
    Refused,
    /// A time-out or a reset.
    Unknown,
}

/// The body of a webhook: one person's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Body {
    /// For which call.
    pub call: usize,
    /// Whose, by the place in it.
    pub member: usize,
    /// What.
    pub says: Answer,
}

impl State {
    /// Everyone waits, nothing was sent.
    #[must_use]
    pub fn new(truth: [bool; PEOPLE]) -> State {
        let reveal = |person| Reveal {
            person,
            generation: 0,
            state: RevealState::Queued,
            call: None,
            repeat_of: None,
            number: false,
            had_number: false,
        };
        State {
            truth,
            reveals: (0..PEOPLE).map(reveal).collect(),
            shown: [0, 1],
            erased: [false; PEOPLE],
            calls: Vec::new(),
            workers: [Worker::Idle; WORKERS],
            inbox: BTreeSet::new(),
        }
    }

    /// The person in a call.
    #[must_use]
    pub fn person(&self, member: &Member) -> usize {
        self.reveals[member.reveal].person
    }

    /// What the ledger counts against the batch's ceiling: spent, reserved, and perhaps spent.
    #[must_use]
    pub fn counted(&self, rules: &Rules) -> i64 {
        let counts = |call: &Call, member: &Member| match member.answer {
            Some(answer) => answer == Answer::Found,
            None if call.state == CallState::Expired => rules.has(Guard::ExpiredStaysCounted),
            None => rules.has(Guard::Reserves),
        };
        let of_call = |call: &Call| call.members.iter().filter(|one| counts(call, one)).count();
        let written = self.calls.iter().filter(|call| call.written);
        i64::try_from(written.map(of_call).sum::<usize>()).unwrap_or(i64::MAX)
    }
}
