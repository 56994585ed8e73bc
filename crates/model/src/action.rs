use stateright::{Model, Property};

use crate::guard::Rules;
use crate::promise::Promise;
use crate::state::{Body, PEOPLE, State, WORKERS};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described where it happens")]
pub enum Action {
    Claim(usize),
    Send(usize),
    GiveBack(usize),
    Crash(usize),
    Hear(usize),
    TimeOut(usize),
    Record(usize),
    Take(usize),
    Refuse(usize),
    TakeOver(usize),
    Deadline(usize),
    Repeat(usize),
    Deliver(usize, usize),
    Contradict(usize, usize),
    Apply(Body),
    Lose(Body),
    PayAgain(usize),
    Erase(usize),
}

impl Action {
    /// Whether the software takes this action by itself. All other actions may never happen.
    fn is_own(self) -> bool {
        use Action::{
            Apply, Claim, Deadline, GiveBack, Hear, Record, Repeat, Send, TakeOver, TimeOut,
        };
        matches!(
            self,
            Claim(_)
                | Send(_)
                | GiveBack(_)
                | Hear(_)
                | TimeOut(_)
                | Record(_)
                | TakeOver(_)
                | Deadline(_)
                | Repeat(_)
                | Apply(_)
        )
    }

    /// All actions that might happen in a state; many of them can't.
    fn all(state: &State) -> Vec<Action> {
        use Action::{
            Apply, Claim, Contradict, Crash, Deadline, Deliver, Erase, GiveBack, Hear, Lose,
            PayAgain, Record, Refuse, Repeat, Send, Take, TakeOver, TimeOut,
        };
        let mut all = Vec::new();
        for worker in 0..WORKERS {
            all.extend([Claim, Send, GiveBack, Crash, Hear, TimeOut, Record].map(|of| of(worker)));
        }
        for (n, call) in state.calls.iter().enumerate() {
            all.extend([Take, Refuse, TakeOver, Deadline, Repeat].map(|of| of(n)));
            for member in 0..call.members.len() {
                all.extend([Deliver(n, member), Contradict(n, member)]);
            }
        }
        all.extend(state.inbox.iter().flat_map(|&body| [Apply(body), Lose(body)]));
        all.extend((0..PEOPLE).flat_map(|person| [PayAgain(person), Erase(person)]));
        all
    }
}

impl State {
    /// Returns the state after an action; `None` if the action can't happen.
    #[must_use]
    pub fn after(&self, rules: &Rules, action: Action) -> Option<State> {
        let mut next = self.clone();
        let happened = match action {
            Action::Claim(worker) => next.claim(rules, worker),
            Action::Send(worker) => next.send(rules, worker),
            Action::GiveBack(worker) => next.give_back(rules, worker),
            Action::Crash(worker) => next.crash(worker),
            Action::Hear(worker) => next.hear(worker),
            Action::TimeOut(worker) => next.time_out(worker),
            Action::Record(worker) => next.record(rules, worker),
            Action::Take(call) => next.take(call),
            Action::Refuse(call) => next.refuse(call),
            Action::TakeOver(call) => next.take_over(rules, call),
            Action::Deadline(call) => next.deadline(rules, call),
            Action::Repeat(call) => next.repeat(rules, call),
            Action::Deliver(call, member) => next.deliver(rules, call, member),
            Action::Contradict(call, member) => next.contradict(rules, call, member),
            Action::Apply(body) => next.apply(rules, body),
            Action::Lose(body) => next.lose(rules, body),
            Action::PayAgain(person) => next.pay_again(rules, person),
            Action::Erase(person) => next.erase(rules, person),
        };
        // Workers are interchangeable, so their order makes no difference.
        next.workers.sort_unstable();
        happened.then_some(next)
    }

    /// Whether the software would still do something by itself.
    fn goes_on(&self, rules: &Rules) -> bool {
        let mut own = Action::all(self).into_iter().filter(|action| action.is_own());
        own.any(|action| self.after(rules, action).is_some())
    }
}

impl Model for Rules {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        [[true, true], [true, false]].map(State::new).to_vec()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(Action::all(state));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        last.after(self, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let property = |promise: Promise| {
            let holds: fn(&Rules, &State) -> bool = match promise {
                Promise::PaidOnce => |_, state| state.is_paid_once(),
                Promise::NeverKnowinglyAgain => |_, state| state.is_never_asked_knowingly(),
                Promise::CeilingHolds => |rules, state| state.keeps_ceiling(rules),
                Promise::NothingIsLost => |rules, state| state.is_at_rest() || state.goes_on(rules),
                Promise::ErasedIsGone => |_, state| state.stores_no_erased_number(),
                Promise::BetterStays => |_, state| state.keeps_better(),
            };
            Property::always(promise.name(), holds)
        };
        Promise::ALL.map(property).to_vec()
    }
}
