use jobs::{CallState, RevealState};

use crate::guard::{Guard, Rules};
use crate::state::{Answer, Body, State};

/// The method returns whether its action could happen.
impl State {
    /// `results/settle.rs`: a stored body is applied.
    pub(crate) fn apply(&mut self, rules: &Rules, body: Body) -> bool {
        if !self.inbox.remove(&body) {
            return false;
        }
        let call = &self.calls[body.call];
        let expired = call.state == CallState::Expired;
        if !call.written || (expired && !rules.has(Guard::LateResultsCount)) {
            return true;
        }
        self.place(rules, body);
        let call = &mut self.calls[body.call];
        call.awaited = true;
        if call.members.iter().all(|member| member.answer.is_some()) {
            call.state = CallState::Done;
        } else if expired {
            self.take_back(rules, body.call);
        }
        true
    }

    /// `results/settle/outcome.rs`: what a result means for the call, for the person, and for newer requests.
    fn place(&mut self, rules: &Rules, body: Body) {
        let member = &mut self.calls[body.call].members[body.member];
        let (id, first) = (member.reveal, member.answer.is_none());
        let standing = self.reveals[id].state;
        let to = match body.says {
            Answer::Found => RevealState::Found,
            Answer::NotFound | Answer::Released => RevealState::NotFound,
        };
        if first || (member.answer != Some(Answer::Found) && to.rank() > standing.rank()) {
            member.answer = Some(body.says);
        }
        if standing == RevealState::Cancelled && rules.has(Guard::DiscardsErased) {
            return;
        }
        if to.rank() > standing.rank() || !rules.has(Guard::KeepsTheBetter) {
            self.reveals[id].answer(to);
            if standing != RevealState::Asked && rules.has(Guard::LateResultsAnswerNewer) {
                self.answer_newer(id, to);
            }
        }
    }

    /// `results/settle.rs`: a late answer also answers all newer requests for the same person.
    fn answer_newer(&mut self, id: usize, to: RevealState) {
        let person = self.reveals[id].person;
        let generation = self.reveals[id].generation;
        let newer =
            |one: &&mut crate::state::Reveal| one.person == person && one.generation > generation;
        for reveal in self.reveals.iter_mut().filter(newer) {
            if to.rank() > reveal.state.rank() {
                reveal.answer(to);
            }
        }
    }
}

impl crate::state::Reveal {
    fn answer(&mut self, to: RevealState) {
        self.state = to;
        self.number = to == RevealState::Found;
        self.had_number |= self.number;
    }
}
