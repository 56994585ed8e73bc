use crate::{CallKind, Credits};

/// A call that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlan<P> {
    /// What the provider is asked for.
    pub kind: CallKind,
    /// The people in it.
    pub people: Vec<P>,
    /// The batch that pays for each of the people.
    pub payers: Vec<i64>,
    /// The credits that are reserved for each of the people.
    pub price: Credits,
    /// Whether the call searches for a bad id. No other people join it.
    pub isolating: bool,
}

impl<P> CallPlan<P> {
    fn takes_more(&self, most: usize) -> bool {
        self.kind == CallKind::Reveal && !self.isolating && self.people.len() < most
    }

    fn push(&mut self, (person, payer): (P, i64)) {
        self.people.push(person);
        self.payers.push(payer);
    }
}

/// The calls of one claim. People come with the batch that pays for each.
#[derive(Debug)]
pub struct CallPlans<P> {
    most: usize,
    calls: Vec<CallPlan<P>>,
}

impl<P> CallPlans<P> {
    /// Starts without calls. `most` people fit into one.
    #[must_use]
    pub fn of(most: usize) -> Self {
        CallPlans { most, calls: Vec::new() }
    }

    /// How many calls there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many people can be added until there are `calls` full calls.
    #[must_use]
    pub fn room(&self, calls: usize) -> usize {
        let last = self.calls.last().filter(|last| last.takes_more(self.most));
        let in_last = last.map_or(0, |last| self.most - last.people.len());
        calls.saturating_sub(self.calls.len()) * self.most + in_last
    }

    /// Adds people: they fill the last call first, whichever batch its people are from.
    pub fn add(&mut self, paid: impl IntoIterator<Item = (P, i64)>, price: Credits) {
        self.extend(CallKind::Reveal, paid, price, false);
    }

    /// Adds an isolation group in a call of its own; in several, if it doesn't fit into one.
    pub fn isolate(
        &mut self,
        kind: CallKind,
        paid: impl IntoIterator<Item = (P, i64)>,
        price: Credits,
    ) {
        self.extend(kind, paid, price, true);
    }

    /// Adds one call.
    pub fn push(&mut self, call: CallPlan<P>) {
        self.calls.push(call);
    }

    /// The calls in the order in which they are to be sent.
    #[must_use]
    pub fn into_calls(self) -> Vec<CallPlan<P>> {
        self.calls
    }

    fn extend(
        &mut self,
        kind: CallKind,
        paid: impl IntoIterator<Item = (P, i64)>,
        price: Credits,
        isolating: bool,
    ) {
        // A group never joins a call that was there before it.
        let first = if isolating { self.calls.len() } else { 0 };
        for person in paid {
            let room = |call: &CallPlan<P>| match isolating {
                true => call.people.len() < self.most,
                false => call.takes_more(self.most),
            };
            if !self.calls[first..].last().is_some_and(room) {
                let (people, payers) = (Vec::new(), Vec::new());
                self.calls.push(CallPlan { kind, people, payers, price, isolating });
            }
            if let Some(last) = self.calls.last_mut() {
                last.push(person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICE: Credits = Credits::whole(1);

    /// `n` people that `batch` pays for, numbered from `first`.
    fn people(batch: i64, first: usize, n: usize) -> Vec<(usize, i64)> {
        (first..first + n).map(|person| (person, batch)).collect()
    }

    fn sizes(plans: CallPlans<usize>) -> Vec<(usize, bool)> {
        plans.into_calls().iter().map(|call| (call.people.len(), call.isolating)).collect()
    }

    #[test]
    fn a_later_batch_fills_the_last_call_of_an_earlier_one() {
        let mut plans = CallPlans::of(3);
        plans.add(people(1, 0, 4), PRICE);
        assert_eq!((plans.len(), plans.room(2), plans.room(4)), (2, 2, 8));
        plans.add(people(2, 4, 3), PRICE);
        let calls = plans.into_calls();
        let payers: Vec<&[i64]> = calls.iter().map(|call| &call.payers[..]).collect();
        assert_eq!(payers, [&[1, 1, 1][..], &[1, 2, 2], &[2]]);
        assert_eq!(calls[1].people, [3, 4, 5]);
    }

    #[test]
    fn no_person_joins_an_isolation_group_or_a_lookup() {
        let mut plans = CallPlans::of(3);
        plans.isolate(CallKind::Reveal, people(1, 0, 1), PRICE);
        plans.isolate(CallKind::Lookup, people(1, 1, 1), PRICE);
        assert_eq!((plans.room(2), plans.room(3)), (0, 3));
        plans.add(people(1, 2, 1), PRICE);
        plans.isolate(CallKind::Reveal, people(1, 3, 4), PRICE);
        assert_eq!(sizes(plans), [(1, true), (1, true), (1, false), (3, true), (1, true)]);
        let mut plans = CallPlans::of(3);
        let lookup = CallKind::Lookup;
        plans.push(CallPlan {
            kind: lookup,
            people: vec![0],
            payers: vec![1],
            price: PRICE,
            isolating: false,
        });
        assert_eq!(plans.room(1), 0);
        plans.add(people(1, 1, 1), PRICE);
        assert_eq!(sizes(plans), [(1, false), (1, false)]);
    }

    proptest! {
        #[test]
        fn each_person_is_in_one_call_with_its_payer(
            most in 1..6usize,
            added in prop::collection::vec((any::<bool>(), 0..9usize), 0..9),
        ) {
            let mut plans = CallPlans::of(most);
            let mut all = Vec::new();
            for (batch, (isolating, n)) in (0..).zip(added) {
                let new = people(batch, all.len(), n);
                all.extend(new.clone());
                let (before, wanted) = (plans.len(), plans.room(plans.len() + n.div_ceil(most)));
                match isolating {
                    true => plans.isolate(CallKind::Reveal, new, PRICE),
                    false => plans.add(new, PRICE),
                }
                prop_assert!(n <= wanted && plans.len() <= before + n.div_ceil(most));
            }
            let calls = plans.into_calls();
            prop_assert!(calls.iter().all(|call| (1..=most).contains(&call.people.len())));
            for call in calls.iter().filter(|call| call.isolating) {
                prop_assert!(call.payers.iter().all(|payer| *payer == call.payers[0]));
            }
            let placed: Vec<(usize, i64)> = calls
                .into_iter()
                .flat_map(|call| call.people.into_iter().zip(call.payers))
                .collect();
            prop_assert_eq!(placed, all);
        }
    }
}
