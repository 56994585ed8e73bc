//! Counting: what was asked, answered, accepted and charged.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Endpoint, Provider, config::Config, reply::Reply};

/// Everything that was counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Answers by endpoint and status; a connection that was broken on purpose is `dropped`.
    pub requests: BTreeMap<Endpoint, BTreeMap<String, u64>>,
    /// Ocean.io
    pub ocean: ProviderStats,
    /// Clodura
    pub clodura: ProviderStats,
    /// Results that are being made and webhooks that aren't delivered yet; 0 means that nothing more will happen.
    pub pending: u64,
    /// Webhooks that wait for `release`.
    pub held: u64,
    /// Requests that followed a redirect here. A client that follows one sends its key and request to another server.
    pub redirects_followed: u64,
    /// Requests to paths that neither provider has.
    pub unknown_paths: u64,
}

/// One provider's counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProviderStats {
    /// Requests to any of the provider's endpoints.
    pub requests: u64,
    /// Requests for phone numbers that were accepted.
    pub accepted_requests: u64,
    /// People in accepted requests.
    pub accepted_people: u64,
    /// Most people in one accepted request.
    pub largest_request: u64,
    /// Different people asked for in accepted requests.
    pub people: u64,
    /// How many people were asked for more than once.
    pub people_asked_again: u64,
    /// People whose result is made.
    pub people_finished: u64,
    /// How many of the finished people were found.
    pub people_found: u64,
    /// Different people who cost something.
    pub people_charged: u64,
    /// How many of the charged people were paid for in more than one request.
    pub people_charged_again: u64,
    /// Lookups that were answered (Ocean).
    pub lookups: u64,
    /// Most handles in one lookup.
    pub largest_lookup: u64,
    /// Handles in all lookups.
    pub looked_up: u64,
    /// Handles in more than one lookup.
    pub looked_up_again: u64,
    /// The cost of the handles that matched, in thousandths of a credit; not among the credits charged below.
    pub lookup_thousandths: u64,
    /// Credits charged.
    pub credits_charged: u64,
    /// Credits left; a negative number is a debt.
    pub credits_left: i64,
    /// Credits reserved for results that are being made.
    pub credits_reserved: i64,
    /// Most requests within any one second.
    pub busiest_second: u64,
    /// Most requests open at the same time.
    pub most_in_flight: u64,
    /// Requests that came while a `Retry-After` was running.
    pub during_retry_after: u64,
    /// The provider's webhooks.
    pub webhooks: WebhookStats,
}

/// A provider's webhooks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookStats {
    /// Made, each copy of a duplicate included.
    pub made: u64,
    /// Lost on purpose.
    pub lost: u64,
    /// Attempts to deliver.
    pub attempts: u64,
    /// Delivered: answered with 2xx.
    pub delivered: u64,
    /// Given up after the last attempt.
    pub given_up: u64,
}

/// How often one person was asked for and charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonStats {
    /// The provider that was asked.
    pub provider: Provider,
    /// The id under which the provider answers.
    pub person_id: String,
    /// How often accepted requests named the person (a request that names a person twice counts twice).
    pub asked: u32,
    /// How many results cost something.
    pub charged: u32,
    /// Credits in all.
    pub credits: u64,
}

/// Which people [`crate::Sandbox::people`] lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleFilter {
    /// Only this provider's.
    pub provider: Option<Provider>,
    /// Only this person: an id or, for Clodura, an address.
    pub id: Option<String>,
    /// Only people who were asked for at least this often.
    pub min_asked: u32,
    /// Only people who were charged at least this often.
    pub min_charged: u32,
    /// At most this many people, in the order of their ids.
    pub limit: usize,
}

impl Default for PeopleFilter {
    fn default() -> Self {
        Self { provider: None, id: None, min_asked: 0, min_charged: 0, limit: 1_000 }
    }
}

#[derive(Debug, Default)]
struct Person {
    asked: u32,
    charged: u32,
    credits: u64,
}

/// One provider's books.
#[derive(Debug, Default)]
struct Book {
    counts: ProviderStats,
    people: HashMap<String, Person>,
    looked_up: HashMap<String, u32>,
    last_second: VecDeque<Instant>,
    in_flight: u64,
    /// From the first 429 to the end of the latest `Retry-After`.
    closed: Option<(Instant, Instant)>,
}

/// The books of both providers.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    requests: BTreeMap<Endpoint, BTreeMap<String, u64>>,
    ocean: Book,
    clodura: Book,
    pub(crate) redirects_followed: u64,
    pub(crate) unknown_paths: u64,
}

impl Audit {
    fn book(&mut self, provider: Provider) -> &mut Book {
        match provider {
            Provider::Ocean => &mut self.ocean,
            Provider::Clodura => &mut self.clodura,
        }
    }

    /// Counts a request as no longer open.
    pub(crate) fn ended(&mut self, provider: Provider) {
        self.book(provider).in_flight -= 1;
    }

    pub(crate) fn arrived(&mut self, config: &Config, provider: Provider, now: Instant) {
        let tolerance = Duration::from_millis(config.limits(provider).retry_after_tolerance_ms);
        let book = self.book(provider);
        book.counts.requests += 1;
        book.in_flight += 1;
        book.counts.most_in_flight = book.counts.most_in_flight.max(book.in_flight);
        if book.closed.is_some_and(|(since, until)| now > since + tolerance && now < until) {
            book.counts.during_retry_after += 1;
        }
        book.last_second.push_back(now);
        while book.last_second.front().is_some_and(|&first| now - first >= Duration::from_secs(1)) {
            book.last_second.pop_front();
        }
        book.counts.busiest_second = book.counts.busiest_second.max(book.last_second.len() as u64);
    }

    pub(crate) fn answered(&mut self, endpoint: Endpoint, reply: Option<&Reply>, now: Instant) {
        let label = reply.map_or_else(|| "dropped".to_owned(), |reply| reply.status.to_string());
        *self.requests.entry(endpoint).or_default().entry(label).or_default() += 1;
        let retry_after = reply.filter(|reply| reply.status == 429).and_then(Reply::retry_after);
        // A header that asks for more than the clock can add counts as none.
        let Some(until) =
            retry_after.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)))
        else {
            return;
        };
        let book = self.book(endpoint.provider());
        book.closed = Some(match book.closed {
            Some((since, running)) if now < running => (since, running.max(until)),
            _ => (now, until),
        });
    }

    /// Counts an accepted request for these people.
    pub(crate) fn accepted(&mut self, provider: Provider, people: &[String]) {
        let book = self.book(provider);
        book.counts.accepted_requests += 1;
        book.counts.accepted_people += people.len() as u64;
        book.counts.largest_request = book.counts.largest_request.max(people.len() as u64);
        for id in people {
            match book.people.get_mut(id) {
                Some(person) => {
                    person.asked += 1;
                    book.counts.people_asked_again += u64::from(person.asked == 2);
                }
                None => {
                    book.people.insert(id.clone(), Person { asked: 1, ..Person::default() });
                    book.counts.people += 1;
                }
            }
        }
    }

    /// Counts an answered lookup of these handles, and its cost in thousandths of a credit.
    pub(crate) fn looked_up(&mut self, provider: Provider, handles: &[String], thousandths: u64) {
        let Book { counts, looked_up, .. } = self.book(provider);
        counts.lookups += 1;
        counts.largest_lookup = counts.largest_lookup.max(handles.len() as u64);
        counts.looked_up += handles.len() as u64;
        counts.lookup_thousandths += thousandths;
        for handle in handles {
            let times = looked_up.entry(handle.clone()).or_default();
            *times += 1;
            counts.looked_up_again += u64::from(*times == 2);
        }
    }

    /// Counts a person's result, and its cost.
    pub(crate) fn finished(&mut self, provider: Provider, id: &str, found: bool, credits: u64) {
        let book = self.book(provider);
        book.counts.people_finished += 1;
        book.counts.people_found += u64::from(found);
        book.counts.credits_charged += credits;
        if let Some(person) = book.people.get_mut(id).filter(|_| credits > 0) {
            person.charged += 1;
            person.credits += credits;
            book.counts.people_charged += u64::from(person.charged == 1);
            book.counts.people_charged_again += u64::from(person.charged == 2);
        }
    }

    pub(crate) fn was_charged(&mut self, provider: Provider, id: &str) -> bool {
        self.book(provider).people.get(id).is_some_and(|person| person.charged > 0)
    }

    pub(crate) fn webhooks(&mut self, provider: Provider) -> &mut WebhookStats {
        &mut self.book(provider).counts.webhooks
    }

    /// Returns the counts; values that the books don't hold are left at 0.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            requests: self.requests.clone(),
            ocean: self.ocean.counts.clone(),
            clodura: self.clodura.counts.clone(),
            redirects_followed: self.redirects_followed,
            unknown_paths: self.unknown_paths,
            ..Stats::default()
        }
    }

    pub(crate) fn people(&self, filter: &PeopleFilter) -> Vec<PersonStats> {
        let wanted = filter.id.as_deref().map(crate::expected::person_id);
        let matches = |id: &str, person: &Person| {
            person.asked >= filter.min_asked
                && person.charged >= filter.min_charged
                && wanted.as_deref().is_none_or(|wanted| wanted == id)
        };
        let mut listed = Vec::new();
        for (provider, book) in [(Provider::Ocean, &self.ocean), (Provider::Clodura, &self.clodura)]
        {
            if filter.provider.is_some_and(|only| only != provider) {
                continue;
            }
            listed.extend(book.people.iter().filter(|(id, person)| matches(id, person)).map(
                |(id, person)| PersonStats {
                    provider,
                    person_id: id.clone(),
                    asked: person.asked,
                    charged: person.charged,
                    credits: person.credits,
                },
            ));
        }
        listed.sort_unstable_by(|a, b| (a.provider, &a.person_id).cmp(&(b.provider, &b.person_id)));
        listed.truncate(filter.limit);
        listed
    }
}
