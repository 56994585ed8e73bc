//! A random walk: everything that can happen, in any order, with everything recounted after each step.
//!
//! `WALK_SEED` repeats a walk, `WALK_STEPS` makes it longer.

mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use jobs::Provider::{self, Clodura, Ocean};
use jobs::outcome::{BadPerson, Finding, FreeRequestFailure, PersonResult, Refusal, TrackOutcome};
use jobs::{Credits, PerPerson};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use store::{ClaimReveals, ClaimedCall, ClaimedPoll, Loading};

use crate::harness::{Bench, HOUR, MINUTE, SECOND, found, not_found, on_both, result};

on_both!(anything_in_any_order, anything_with_unknown_grace);

async fn anything_in_any_order(b: &Bench) {
    Walk::new(b, None).run().await;
}

async fn anything_with_unknown_grace(b: &Bench) {
    Walk::new(b, Some(2 * HOUR)).run().await;
}

struct Walk<'b> {
    bench: &'b Bench,
    policy: jobs::Policy,
    rng: StdRng,
    seed: u64,
    steps: usize,
    done: usize,
    loading: Vec<(Loading, i64)>,
    batches: Vec<i64>,
    sending: Vec<ClaimedCall>,
    sent: Vec<ClaimedCall>,
    polls: Vec<ClaimedPoll>,
    /// The calls at Clodura by their tracking ids.
    trackings: BTreeMap<String, ClaimedCall>,
    /// Calls that were refused or not sent. A number may still come, and cost more than the ceiling has left.
    refused: BTreeSet<String>,
    /// Calls that the provider had no credits for; a number may still come.
    out_of_credits: BTreeSet<String>,
    /// Pairs of call and person for which the provider said 'not found'.
    not_found: BTreeSet<(String, String)>,
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl<'b> Walk<'b> {
    fn new(bench: &'b Bench, unknown_grace: Option<Duration>) -> Self {
        let seed = setting("WALK_SEED").unwrap_or_else(rand::random);
        eprintln!("WALK_SEED={seed}");
        Walk {
            bench,
            policy: jobs::Policy { unknown_grace, ..bench.policy.clone() },
            rng: StdRng::seed_from_u64(seed),
            seed,
            steps: setting("WALK_STEPS").map_or(250, |steps| steps as usize),
            done: 0,
            loading: Vec::new(),
            batches: Vec::new(),
            sending: Vec::new(),
            sent: Vec::new(),
            polls: Vec::new(),
            trackings: BTreeMap::new(),
            refused: BTreeSet::new(),
            out_of_credits: BTreeSet::new(),
            not_found: BTreeSet::new(),
        }
    }

    async fn run(mut self) {
        for step in 0..self.steps {
            self.done = step;
            let what = self.step().await;
            self.bench.check(&format!("step {step} ({what}) of WALK_SEED={}", self.seed)).await;
        }
        let calls: Vec<(String, i64)> = self
            .bench
            .database
            .all("SELECT provider || ' ' || state, COUNT(*) FROM calls GROUP BY 1 ORDER BY 1")
            .await;
        eprintln!("calls: {calls:?}");
        self.bench.check_paid_once().await;
    }

    async fn step(&mut self) -> &'static str {
        match self.rng.random_range(0..100) {
            0..10 => self.submit().await,
            10..13 => self.begin().await,
            13..16 => self.load_more().await,
            16..19 => self.publish_or_abandon().await,
            19..21 => self.cancel().await,
            21..42 => self.claim().await,
            42..60 => self.answer().await,
            60..78 => self.deliver().await,
            78..82 => self.poll().await,
            82..86 => self.balance().await,
            86..93 => self.time().await,
            93..95 => self.sweep().await,
            96 | 97 => self.another_key().await,
            95 | 98 => self.manage().await,
            _ => self.worker_dies().await,
        }
    }

    fn provider(&mut self) -> Provider {
        if self.rng.random() { Ocean } else { Clodura }
    }

    async fn claim(&mut self) -> &'static str {
        let provider = self.provider();
        let ask = ClaimReveals {
            calls: self.rng.random_range(1..=3),
            people: if provider == Ocean { self.rng.random_range(1..=4) } else { 1 },
            ..self.bench.ask(provider)
        };
        self.sending.extend(self.bench.claim_as(ask).await);
        "claim"
    }

    fn take_sending(&mut self) -> Option<ClaimedCall> {
        let at = self.rng.random_range(0..self.sending.len().max(1));
        (at < self.sending.len()).then(|| self.sending.swap_remove(at))
    }

    async fn answer(&mut self) -> &'static str {
        let Some(call) = self.take_sending() else { return "no answer" };
        let b = self.bench;
        let after = self.rng.random_ratio(1, 2).then_some(5 * MINUTE);
        let message = "words".to_owned();
        let name = call.call_id.to_string();
        self.sent.push(call.clone());
        match self.rng.random_range(0..40) {
            20..40 => {
                let tracking = (call.provider == Clodura).then(|| format!("t{}", call.call_id));
                if let Some(tracking) = &tracking {
                    self.trackings.insert(tracking.clone(), call.clone());
                }
                b.accept_with(&call, tracking.as_deref()).await;
                return "accept";
            }
            0..11 if self.rng.random_ratio(1, 3) => {
                b.unknown(&call).await;
                return "unknown";
            }
            0..12 => b.store.calls().give_back(call, "asleep".into()).await.unwrap_or(()),
            12 => b.refuse(&call, 402, Refusal::CreditsPending).await,
            13 => b.refuse(&call, 402, Refusal::CreditsInsufficient).await,
            14 => b.refuse(&call, 429, Refusal::RateLimited { retry_after: after }).await,
            15 => b.refuse(&call, 401, Refusal::Misconfigured { message }).await,
            16 => {
                let index = self.rng.random_range(0..=call.people.len());
                let bad = vec![BadPerson { index, message }];
                b.refuse(&call, 422, Refusal::BadPeople(bad)).await;
            }
            17 | 18 => b.refuse_request(&call).await,
            _ => b.refuse(&call, 503, Refusal::Unavailable { message, retry_after: after }).await,
        }
        self.refused.insert(name);
        "answer"
    }

    /// Makes up the provider's result for a person of a call, under the provider's own id.
    fn finding(&mut self, call: &ClaimedCall, subject: &str) -> PersonResult {
        let name = subject.rsplit([':', '/']).next().unwrap();
        let name = if self.rng.random_ratio(1, 15) { "somebody" } else { name };
        let clodura = call.provider == Clodura;
        let call = call.call_id.to_string();
        match self.rng.random_range(0..8) {
            0..4 => {
                let before = self.out_of_credits.contains(&call) || self.refused.contains(&call);
                if before || self.not_found.contains(&(call.clone(), subject.to_owned())) {
                    self.bench.second_thoughts.fetch_add(1, Ordering::Relaxed);
                    self.bench.changed_answers.lock().unwrap().insert(call);
                }
                found(name)
            }
            _ if self.out_of_credits.contains(&call) => result(name, Finding::OutOfCredits),
            4..6 => {
                self.not_found.insert((call, subject.to_owned()));
                not_found(name)
            }
            6 if clodura => {
                self.out_of_credits.insert(call);
                result(name, Finding::OutOfCredits)
            }
            _ => result(name, Finding::InProgress),
        }
    }

    /// Delivers a webhook for a call that is being sent or was sent long ago, with all or some of its people.
    async fn deliver(&mut self) -> &'static str {
        let early = self.rng.random_ratio(1, 5);
        let from = if early { &self.sending } else { &self.sent };
        let recent = from.len().saturating_sub(if self.rng.random_ratio(1, 4) { 1000 } else { 5 });
        let Some(call) = from[recent..].choose(&mut self.rng).cloned() else { return "nothing" };
        let people: Vec<String> =
            call.people.iter().filter(|_| self.rng.random_ratio(4, 5)).cloned().collect();
        let mut results = Vec::new();
        for subject in people {
            results.push(self.finding(&call, &subject));
        }
        self.bench.webhook(&call, results).await;
        "deliver"
    }

    async fn poll(&mut self) -> &'static str {
        let polls = self.bench.store.calls().claim_polls(Clodura, 2, 1e6).await.unwrap().polls;
        self.polls.extend(polls);
        let Some(poll) = self.polls.pop() else { return "no poll" };
        let call = self.trackings[&poll.tracking_id].clone();
        let outcome = match self.rng.random_range(0..6) {
            0 => Ok(TrackOutcome::Finished(self.finding(&call, &call.people[0]))),
            1 | 2 => Ok(TrackOutcome::Running),
            3 => Ok(TrackOutcome::NothingThere),
            4 => Err(FreeRequestFailure::Unavailable { message: "gone".into() }),
            _ => Err(FreeRequestFailure::RateLimited { retry_after: Some(MINUTE) }),
        };
        self.bench.store.calls().record_poll(poll, outcome, Some(200), &self.policy).await.unwrap();
        "poll"
    }

    async fn balance(&mut self) -> &'static str {
        let provider = self.provider();
        let (claimed, _) = self.bench.store.gates().claim_balance(provider, 1e6).await.unwrap();
        let Some(claimed) = claimed else { return "no balance" };
        let credits = self.rng.random_range(0..400);
        let balance = jobs::outcome::Balance {
            credits: Credits::whole(credits),
            tariff: Some(jobs::Tariff::DirectDials),
            daily: None,
        };
        let outcome = if self.rng.random_ratio(1, 5) {
            Err(FreeRequestFailure::Unavailable { message: "gone".into() })
        } else {
            Ok(balance)
        };
        let price = PerPerson::Fixed(Credits::whole(1));
        let store = &self.bench.store;
        store
            .gates()
            .record_balance(claimed, outcome, Some(200), price, &self.policy)
            .await
            .unwrap();
        "balance"
    }

    async fn time(&mut self) -> &'static str {
        let by = [SECOND, MINUTE, 5 * MINUTE, HOUR, 7 * HOUR].choose(&mut self.rng).copied();
        self.bench.advance(by.unwrap()).await;
        "time"
    }

    async fn sweep(&mut self) -> &'static str {
        self.bench.store.sweep_overdue(&self.policy).await.unwrap();
        self.bench.store.batches().sweep_abandoned_batches().await.unwrap();
        "sweep"
    }

    async fn another_key(&mut self) -> &'static str {
        let key = format!("key {}", self.rng.random::<u32>());
        self.bench.register(jobs::WorkerId::generate(), Some(&key), Some("url")).await;
        "another key"
    }

    /// The worker falls silent; the answers to its open requests don't count any more.
    async fn worker_dies(&mut self) -> &'static str {
        self.bench.clock.advance(MINUTE);
        self.bench.store.sweep_overdue(&self.policy).await.unwrap();
        self.bench.store.workers().heartbeat(self.bench.worker).await.unwrap();
        "worker dies"
    }
}
