use crate::guard::{Guard, Rules};
use crate::state::{Answer, Body, Request, Response, State, Worker};

/// Each method returns whether its action could happen.
impl State {
    /// The provider accepts a request, however late it arrives.
    pub(crate) fn take(&mut self, call: usize) -> bool {
        if self.calls[call].request != Request::Sent {
            return false;
        }
        self.calls[call].request = Request::Taken;
        for member in &mut self.calls[call].members {
            let has_number = self.has_number[self.reveals[member.reveal].person];
            member.result = Some(if has_number { Answer::Found } else { Answer::NotFound });
        }
        true
    }

    /// The provider refuses a request.
    pub(crate) fn refuse(&mut self, call: usize) -> bool {
        let sent = self.calls[call].request == Request::Sent;
        if sent {
            self.calls[call].request = Request::Refused;
        }
        sent
    }

    /// The response reaches the worker.
    pub(crate) fn hear(&mut self, worker: usize) -> bool {
        let Worker::Waits(call) = self.workers[worker] else { return false };
        let response = match self.calls[call].request {
            Request::Taken => Response::Accepted,
            Request::Refused => Response::Refused,
            Request::Held | Request::Sent => return false,
        };
        self.workers[worker] = Worker::Knows(call, response);
        true
    }

    /// The response is lost, or the worker stops waiting.
    pub(crate) fn time_out(&mut self, worker: usize) -> bool {
        let Worker::Waits(call) = self.workers[worker] else { return false };
        self.workers[worker] = Worker::Knows(call, Response::Unknown);
        true
    }

    /// `results/inbox.rs`: a webhook comes, perhaps once more; its body is stored and confirmed. A lost webhook does
    /// not come.
    pub(crate) fn deliver(&mut self, rules: &Rules, call: usize, member: usize) -> bool {
        let Some(says) = self.calls[call].members[member].result else { return false };
        self.confirm(rules, Body { call, member, says })
    }

    /// A wrong webhook comes.
    pub(crate) fn contradict(&mut self, rules: &Rules, call: usize, member: usize) -> bool {
        let says = match self.calls[call].members[member].result {
            Some(Answer::Found) if rules.bounds.contradicts => Answer::NotFound,
            _ => return false,
        };
        self.confirm(rules, Body { call, member, says })
    }

    fn confirm(&mut self, rules: &Rules, body: Body) -> bool {
        let member = &mut self.calls[body.call].members[body.member];
        if member.confirmed == rules.bounds.bodies {
            return false;
        }
        member.confirmed += 1;
        member.number_confirmed |= body.says == Answer::Found;
        self.inbox.insert(body)
    }

    /// A body that was only in the memory of a process is lost with the process.
    pub(crate) fn lose(&mut self, rules: &Rules, body: Body) -> bool {
        !rules.has(Guard::StoredBeforeConfirmed) && self.inbox.remove(&body)
    }
}
