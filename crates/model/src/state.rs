use std::collections::BTreeSet;

use jobs::{CallState, RevealState};

use crate::guard::{Guard, Rules};

/// People who are asked for.
pub const PEOPLE: usize = 2;
/// Workers that ask for the people.
pub const WORKERS: usize = 2;

/// The whole state of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Whether each person has a number, which only the provider knows.
    pub has_number: [bool; PEOPLE],
    /// The reveals of all people, in all generations.
    pub reveals: Vec<Reveal>,
    /// Which reveal each person's row shows.
    pub shown: [usize; PEOPLE],
    /// Which people were erased.
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
    /// The person.
    pub person: usize,
    /// Grows each time that the person is asked for again.
    pub generation: i64,
    /// The state, as in the ledger.
    pub state: RevealState,
    /// The last call that the reveal was in.
    pub call: Option<usize>,
    /// The call that was to be repeated, and may still have been accepted.
    pub repeat_of: Option<usize>,
    /// Whether a number is stored.
    pub number: bool,
    /// Whether a number was ever stored.
    pub had_number: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// The state, as in the ledger.
    pub state: CallState,
    /// Whether the call is in the ledger.
    pub written: bool,
    /// How far the request came.
    pub request: Request,
    /// Whether the ledger learnt that the provider accepted the call, and the deadline is not over.
    pub awaited: bool,
    /// The people in the call.
    pub members: Vec<Member>,
}

/// A person in a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// The reveal.
    pub reveal: usize,
    /// The answer that the ledger knows.
    pub answer: Option<Answer>,
    /// The provider's result; a number is charged when it is first sent.
    pub result: Option<Answer>,
    /// Bodies that were confirmed.
    pub confirmed: u8,
    /// Whether a body with a number was confirmed.
    pub number_confirmed: bool,
    /// Whether the user agreed to have the person asked for again although this request had left.
    pub repeated: bool,
}

/// The outcome of a call for a person.
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
    /// The request left.
    Sent,
    /// The provider accepted the request.
    Taken,
    /// The provider refused the request.
    Refused,
}

/// What a worker has in its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worker {
    /// Nothing.
    Idle,
    /// A call that it may send.
    Holds {
        /// The call.
        call: usize,
        /// Whether more than five seconds went by since the claim.
        stale: bool,
    },
    /// A request whose response it waits for.
    Waits(usize),
    /// A response that it is to write down.
    Knows(usize, Response),
}

/// The outcome of a request, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Response {
    /// The provider accepted the request.
    Accepted,
    /// The provider refused the request.
    Refused,
    /// A time-out or a reset.
    Unknown,
}

/// The body of a webhook: one person's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Body {
    /// The call.
    pub call: usize,
    /// The person's place in the call.
    pub member: usize,
    /// The result.
    pub says: Answer,
}

impl State {
    /// Returns the first state: every person waits, and nothing was sent.
    #[must_use]
    pub fn new(has_number: [bool; PEOPLE]) -> State {
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
            has_number,
            reveals: (0..PEOPLE).map(reveal).collect(),
            shown: [0, 1],
            erased: [false; PEOPLE],
            calls: Vec::new(),
            workers: [Worker::Idle; WORKERS],
            inbox: BTreeSet::new(),
        }
    }

    /// Returns the person of a member.
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
