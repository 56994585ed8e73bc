//! Places each result of a delivery with the member of the call that it is about.

use std::collections::{BTreeMap, HashMap};

use jobs::charge::{newly_used, shares};
use jobs::outcome::{Finding, PersonResult};
use jobs::{Credits, Provider};

use crate::people::erased::placeholder;
use crate::results::settle::delivery::{Applied, Delivery, NamedResult};
use crate::results::settle::ledger::{Call, Learned, Ledger, UnknownPerson};
use crate::results::settle::outcome::Placed;

impl Ledger {
    /// Places a delivery's results; returns the outcome.
    pub(super) fn take(&mut self, delivery: &Delivery) -> Applied {
        let Some(call) = self.calls.get(&delivery.call_id) else {
            delivery
                .findings()
                .for_each(|result| self.note_unknown_person(delivery, result, false));
            return Applied::UnknownCall;
        };
        let (id, provider, expired) = (call.id, call.provider, call.expired);
        let lost_people = call.has_lost_people();
        let alone = call.is_for_one();
        let by_subject: HashMap<String, usize> =
            call.members.iter().map(|&m| (self.members[m].subject.clone(), m)).collect();
        let sole = call.members.first().copied();
        let number_price = call.number_price;
        let results = &delivery.results;
        let results = if alone { the_one(results, &by_subject) } else { results };
        let shares = self.shares(delivery.credits_used, results, call, &by_subject);
        let (mut applied, mut known, mut erased, mut unread) = (false, false, false, false);
        for NamedResult { subject, result } in results {
            let named = subject.as_ref().and_then(|subject| self.named(subject, &by_subject));
            let Some(member) = named.or(sole.filter(|_| alone)) else {
                self.note_unknown_person(delivery, result, lost_people);
                continue;
            };
            if expired && result.finding != Finding::OutOfCredits {
                self.taken_after_all.insert(id);
            }
            let charged =
                shares.get(&member).copied().or_else(|| priced(&result.finding, number_price));
            match self.place(member, result, charged) {
                Placed::New => applied = true,
                Placed::Known => known = true,
                Placed::Unread => unread = true,
                Placed::Erased => {
                    erased = true;
                    self.erased.extend(subject.clone());
                    continue;
                }
            }
            if alone && named.is_none() {
                self.note_alias(provider, subject.as_deref(), member);
            }
        }
        if erased && (applied || known || unread) {
            self.naming_erased.extend(delivery.inbox);
        }
        match (erased, applied, known) {
            // Kept as malformed, whatever else the delivery says, so that a replay finds it.
            _ if unread => Applied::Malformed,
            (true, false, false) => Applied::Erased,
            (_, true, _) if expired => Applied::Late,
            (_, true, _) => Applied::Applied,
            (_, _, true) => Applied::Duplicate,
            _ if delivery.results.is_empty() => Applied::Duplicate,
            _ => Applied::UnknownPerson,
        }
    }

    fn note_unknown_person(
        &mut self,
        delivery: &Delivery,
        result: &PersonResult,
        was_purged: bool,
    ) {
        if let Some((inbox, person_id)) = delivery.inbox.zip(result.person_id.clone()) {
            self.unknown_people.push(UnknownPerson { inbox, person_id, was_purged });
        }
    }

    /// The cost of each newly found person according to `creditsUsed`, by their place among the members.
    fn shares(
        &self,
        credits_used: Option<Credits>,
        results: &[NamedResult],
        call: &Call,
        by_subject: &HashMap<String, usize>,
    ) -> BTreeMap<usize, Credits> {
        let Some((used, price)) = credits_used.zip(call.number_price) else {
            return BTreeMap::new();
        };
        let alone = call.is_for_one();
        let mut found: BTreeMap<usize, i64> = BTreeMap::new();
        for NamedResult { subject, result } in results {
            let named = subject.as_ref().and_then(|subject| self.named(subject, by_subject));
            let sole = call.members.first().copied().filter(|_| alone);
            if let Finding::Found { phones, .. } = &result.finding
                && let Some(member) = named.or(sole)
                && self.is_charged(member, &result.finding)
            {
                found.entry(member).or_insert(i64::try_from(phones.len()).unwrap_or(1));
            }
        }
        let booked: Credits =
            call.members.iter().filter_map(|&member| self.members[member].credits).sum();
        let numbers: Vec<i64> = found.values().copied().collect();
        let newly = newly_used(used, booked, price * numbers.iter().sum::<i64>());
        found.into_keys().zip(shares(newly, &numbers)).collect()
    }

    /// The member of a call that `subject` names; an erased person is found by the hash that replaces their
    /// identifier.
    fn named(&self, subject: &str, by_subject: &HashMap<String, usize>) -> Option<usize> {
        let erased = || {
            let key = self.erasure_key.as_ref()?;
            by_subject.get(&placeholder(key, subject))
        };
        by_subject.get(subject).or_else(erased).copied()
    }

    fn note_alias(&mut self, provider: Provider, subject: Option<&str>, member: usize) {
        let member = &self.members[member];
        if let Some(identifier) = subject
            && identifier != member.subject
        {
            let (subject, reveal) = (member.subject.clone(), member.reveal);
            let identifier = identifier.to_owned();
            self.aliases.push(Learned { provider, identifier, subject, reveal });
        }
    }
}

/// What a person's numbers cost, each `number_price`.
fn priced(finding: &Finding, number_price: Option<Credits>) -> Option<Credits> {
    match finding {
        Finding::Found { phones, credits: None } => {
            Some(number_price? * i64::try_from(phones.len()).ok()?)
        }
        Finding::Found { credits, .. } => *credits,
        _ => None,
    }
}

/// In a call for one person, one result counts: the one that names the person, else the first.
fn the_one<'r>(
    results: &'r [NamedResult],
    by_subject: &HashMap<String, usize>,
) -> &'r [NamedResult] {
    let names = |one: &NamedResult| {
        one.subject.as_ref().is_some_and(|subject| by_subject.contains_key(subject))
    };
    let one = results.iter().find(|result| names(result)).or(results.first());
    one.map(std::slice::from_ref).unwrap_or_default()
}
