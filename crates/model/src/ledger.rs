use std::collections::HashMap;

use jobs::budget::{Candidate, Room, allocate};
use jobs::identity::choice::{Standing, counting_for_retry, next_generation};
use jobs::outcome::Refusal;
use jobs::verdict::{Next, on_refusal};
use jobs::{CallState, Credits, Price, RevealState};

use crate::guard::{Guard, Rules};
use crate::state::{Answer, Call, Member, Request, Response, Reveal, State, Worker};

/// The one batch, which wants every person.
const BATCH: i64 = 0;
/// The most that a person costs.
const PRICE: Price = Price { reserved: Credits::whole(1), least: Credits::whole(1) };

/// Each method returns whether its action could happen.
impl State {
    /// `calls/claim.rs`: one transaction chooses people, reserves credits and writes the call.
    pub(crate) fn claim(&mut self, rules: &Rules, worker: usize) -> bool {
        if self.workers[worker] != Worker::Idle || self.calls.len() == rules.bounds.calls {
            return false;
        }
        let people = self.affordable(rules);
        if people.is_empty() {
            return false;
        }
        let call = self.calls.len();
        let written = rules.has(Guard::WrittenBeforeSent);
        let members = people.iter().map(|&reveal| Member {
            reveal,
            answer: None,
            result: None,
            confirmed: 0,
            number_confirmed: false,
            repeated: false,
        });
        self.calls.push(Call {
            state: CallState::Sending,
            written,
            request: Request::Held,
            awaited: false,
            members: members.collect(),
        });
        if written {
            self.ask(call, &people);
        }
        self.workers[worker] = Worker::Holds { call, stale: false };
        true
    }

    /// Returns the queued reveals that the batch can pay for, as many as one call takes.
    fn affordable(&self, rules: &Rules) -> Vec<usize> {
        let queued = self.shown.iter().filter(|&&id| self.reveals[id].state == RevealState::Queued);
        let candidate = |id: &usize| Candidate {
            reveal: i64::try_from(*id).unwrap_or(i64::MAX),
            wanted_by: vec![BATCH],
        };
        let candidates: Vec<Candidate> = queued.map(candidate).collect();
        let left = Credits::whole(rules.bounds.ceiling - self.counted(rules));
        let mut room = Room { account: None, batches: HashMap::from([(BATCH, left)]) };
        let paid = allocate(&candidates, PRICE, &mut room).paid.into_iter();
        let ids = paid.filter_map(|(reveal, _)| usize::try_from(reveal).ok());
        ids.take(rules.bounds.people_per_call).collect()
    }

    fn ask(&mut self, call: usize, people: &[usize]) {
        for &id in people {
            let reveal = &mut self.reveals[id];
            (reveal.state, reveal.call) = (RevealState::Asked, Some(call));
        }
    }

    /// `worker/jobs/send_call.rs`: the first byte leaves.
    pub(crate) fn send(&mut self, rules: &Rules, worker: usize) -> bool {
        let Worker::Holds { call, stale } = self.workers[worker] else { return false };
        if stale && rules.has(Guard::FreshWhenSent) {
            return false;
        }
        self.calls[call].request = Request::Sent;
        self.workers[worker] = Worker::Waits(call);
        true
    }

    /// `calls/response.rs`: the call is too old, or the worker stops.
    pub(crate) fn give_back(&mut self, rules: &Rules, worker: usize) -> bool {
        let Worker::Holds { call, .. } = self.workers[worker] else { return false };
        self.workers[worker] = Worker::Idle;
        self.end_unpaid(rules, call, CallState::Unsent);
        true
    }

    /// The process dies, and another one starts with nothing in its memory.
    pub(crate) fn crash(&mut self, worker: usize) -> bool {
        let busy = self.workers[worker] != Worker::Idle;
        self.workers[worker] = Worker::Idle;
        busy
    }

    /// `calls/accepted.rs`, `calls/response.rs`: the outcome of a request is written down.
    pub(crate) fn record(&mut self, rules: &Rules, worker: usize) -> bool {
        let Worker::Knows(call, response) = self.workers[worker] else { return false };
        self.workers[worker] = Worker::Idle;
        if !self.calls[call].written {
            self.calls[call].written = true;
            let waiting = |member: &Member| {
                let reveal = &self.reveals[member.reveal];
                (reveal.state == RevealState::Queued).then_some(member.reveal)
            };
            let people: Vec<usize> = self.calls[call].members.iter().filter_map(waiting).collect();
            self.ask(call, &people);
        }
        match response {
            Response::Accepted => self.accepted(rules, call),
            Response::Refused => self.end_unpaid(rules, call, CallState::Refused),
            Response::Unknown if self.calls[call].state == CallState::Sending => {
                self.calls[call].state = CallState::Unknown;
            }
            Response::Unknown => {}
        }
        true
    }

    fn accepted(&mut self, rules: &Rules, call: usize) {
        self.calls[call].awaited = true;
        match self.calls[call].state {
            CallState::Sending | CallState::Unknown => self.calls[call].state = CallState::Accepted,
            CallState::Expired => self.take_back(rules, call),
            _ => {}
        }
    }

    /// `results/taken_back.rs`: people who wait for a repeat wait for the first request instead. People who are in the
    /// repeat may come back to the first request.
    pub(crate) fn take_back(&mut self, rules: &Rules, call: usize) {
        let repeated = |member: &&Member| {
            member.answer.is_none() && self.reveals[member.reveal].state.rank() == 0
        };
        let members = self.calls[call].members.iter().filter(repeated);
        let people: Vec<usize> = members.map(|member| member.reveal).collect();
        if people.is_empty() || !rules.has(Guard::TakesBack) {
            return;
        }
        let states: Vec<CallState> = self.calls.iter().map(|call| call.state).collect();
        let is_out = |other: usize| other > call && states[other] == CallState::Accepted;
        self.calls[call].state = CallState::Accepted;
        for id in people {
            if self.reveals[id].state == RevealState::Queued {
                self.reveals[id].repeat_of = None;
                self.ask(call, &[id]);
            } else if !self.reveals[id].repeat_of.is_some_and(is_out) {
                self.reveals[id].repeat_of = Some(call);
            }
        }
    }

    /// `calls/ended.rs`: a call that certainly cost nothing ends, unless something else was decided about it.
    fn end_unpaid(&mut self, rules: &Rules, call: usize, state: CallState) {
        let fenced = rules.has(Guard::RefusalsAreFenced);
        let ended = &mut self.calls[call];
        let unanswered = ended.members.iter().all(|member| member.answer.is_none());
        let may_end = ended.state == CallState::Sending
            || (ended.state == CallState::Unknown && unanswered)
            || !fenced;
        if !ended.written || !may_end {
            return;
        }
        ended.state = state;
        for member in ended.members.iter_mut().filter(|member| member.answer.is_none()) {
            member.answer = Some(Answer::Released);
        }
        let people: Vec<usize> = ended.members.iter().map(|member| member.reveal).collect();
        for id in people {
            let still_in = self.reveals[id].call == Some(call) || !fenced;
            if self.reveals[id].state == RevealState::Asked && still_in {
                self.reveals[id].state = after_refusal();
                self.rejoins(rules, id);
            }
        }
    }

    /// `results/taken_back.rs`: a person whose first request was accepted meanwhile waits for that request again.
    fn rejoins(&mut self, rules: &Rules, id: usize) -> bool {
        let open = |member: &Member| member.reveal == id && member.answer.is_none();
        let is_out = |call: &usize| {
            let call = &self.calls[*call];
            call.state == CallState::Accepted && call.members.iter().any(open)
        };
        let first = self.reveals[id].repeat_of.filter(is_out);
        let first = first.filter(|_| rules.has(Guard::TakesBack));
        if let Some(first) = first {
            self.reveals[id].repeat_of = None;
            self.ask(first, &[id]);
        }
        first.is_some()
    }

    /// `calls/deadlines.rs`: a worker sent no heartbeat for `HEARTBEAT_TIMEOUT`.
    pub(crate) fn take_over(&mut self, rules: &Rules, call: usize) -> bool {
        let lost = &self.calls[call];
        if lost.state != CallState::Sending || !lost.written || !rules.has(Guard::TakesOver) {
            return false;
        }
        if rules.has(Guard::TakenOverIsUnknown) {
            self.calls[call].state = CallState::Unknown;
        } else {
            self.end_unpaid(rules, call, CallState::Refused);
        }
        for worker in &mut self.workers {
            if let Worker::Holds { call: held, stale } = worker {
                *stale |= *held == call;
            }
        }
        true
    }

    /// `calls/deadlines/expire.rs`: no result came. The call that was sent first ends first.
    pub(crate) fn deadline(&mut self, rules: &Rules, call: usize) -> bool {
        let out = |call: &Call| matches!(call.state, CallState::Accepted | CallState::Unknown);
        if !out(&self.calls[call])
            || self.calls[..call].iter().any(out)
            || !rules.has(Guard::HasDeadline)
        {
            return false;
        }
        (self.calls[call].state, self.calls[call].awaited) = (CallState::Expired, false);
        for id in self.waiting_on(call) {
            self.reveals[id].state = RevealState::Expired;
        }
        true
    }

    /// `calls/deadlines/repeat.rs`: `UNKNOWN_GRACE` is over.
    pub(crate) fn repeat(&mut self, rules: &Rules, call: usize) -> bool {
        let unanswered = self.calls[call].members.iter().all(|member| member.answer.is_none());
        if self.calls[call].state != CallState::Unknown
            || !rules.bounds.grace
            || (!unanswered && rules.has(Guard::AnsweredIsNotRepeated))
        {
            return false;
        }
        self.calls[call].state = CallState::Expired;
        for id in self.waiting_on(call) {
            self.reveals[id].state = RevealState::Queued;
            if !self.rejoins(rules, id) {
                self.reveals[id].repeat_of = Some(call);
                self.agree_to_repeat(call, id);
            }
        }
        true
    }

    fn waiting_on(&self, call: usize) -> Vec<usize> {
        let waits = |id: &usize| {
            let reveal = &self.reveals[*id];
            reveal.state == RevealState::Asked && reveal.call == Some(call)
        };
        self.calls[call].members.iter().map(|member| member.reveal).filter(waits).collect()
    }

    /// The user takes the risk that a request that left was paid for. A request that did not leave has no such risk.
    fn agree_to_repeat(&mut self, call: usize, id: usize) {
        let left = self.calls[call].request != Request::Held;
        let members = self.calls[call].members.iter_mut();
        members.filter(|member| member.reveal == id).for_each(|member| member.repeated = left);
    }

    /// `batches/retry.rs`: `enqueue retry --states expired --pay-again`.
    pub(crate) fn pay_again(&mut self, rules: &Rules, person: usize) -> bool {
        let shown = self.shown[person];
        if self.reveals[shown].state != RevealState::Expired
            || !rules.bounds.pays_again
            || self.reveals[shown].generation > 0
        {
            return false;
        }
        let standing = |(id, reveal): (usize, &Reveal)| Standing {
            id: i64::try_from(id).unwrap_or(i64::MAX),
            subject: "",
            generation: reveal.generation,
            state: reveal.state,
            revealed_at: None,
        };
        let own = self.reveals.iter().enumerate().filter(|(_, reveal)| reveal.person == person);
        let standings: Vec<Standing> = own.map(standing).collect();
        if counting_for_retry(&standings, |state| state == RevealState::Expired).is_some() {
            return false;
        }
        if let Some(call) = self.reveals[shown].call {
            self.agree_to_repeat(call, shown);
        }
        let generation = next_generation(&standings);
        self.shown[person] = self.reveals.len();
        self.reveals.push(Reveal {
            person,
            generation,
            state: RevealState::Queued,
            call: None,
            repeat_of: None,
            number: false,
            had_number: false,
        });
        true
    }

    /// `privacy/erase.rs`: the person is removed everywhere.
    pub(crate) fn erase(&mut self, rules: &Rules, person: usize) -> bool {
        if self.erased[person] || !rules.bounds.erases {
            return false;
        }
        self.erased[person] = true;
        for reveal in self.reveals.iter_mut().filter(|reveal| reveal.person == person) {
            (reveal.state, reveal.number, reveal.repeat_of) = (RevealState::Cancelled, false, None);
        }
        let (calls, reveals) = (&self.calls, &self.reveals);
        self.inbox
            .retain(|body| reveals[calls[body.call].members[body.member].reveal].person != person);
        true
    }
}

/// Returns the state of people whose request was refused for want of a connection. The model leaves out that they wait
/// for a moment first.
fn after_refusal() -> RevealState {
    let refusal = Refusal::Unavailable { message: String::new(), retry_after: None };
    match on_refusal(refusal).people {
        Next::Queue | Next::Retry { .. } => RevealState::Queued,
        Next::Isolate(_) | Next::Split { .. } => RevealState::Failed,
    }
}
