//! A ledger for tests: a separate database for each test, a clock that is turned by hand,
//! and short helpers for the operations of workers and submits.

/// Separate databases, and reading them past the store.
pub mod database;
/// Checks that must hold at every moment, recounted from the rows.
pub mod invariants;
/// The whole ledger as it is stored, read past the store.
pub mod ledger;
/// Short constructors of people, rows and batches.
pub mod people;
/// Checks of the views that must hold at every moment.
pub mod views;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jobs::outcome::{BadPerson, Finding, PersonResult, Phone, Refusal};
use jobs::verdict::on_refusal;
use jobs::{Clock, Credits, PerPerson, Policy, Provider, Timestamp, WorkerId};
use store::{
    Answer, Applied, ClaimReveals, ClaimedCall, Delivery, NewWebhook, NewWorker, ProviderSetup,
    Store, StoredWebhook,
};

pub use database::{Database, Dialect};

/// The time at which all tests begin. It lies in the machine's future, so that views show closed gates as closed.
pub const START: Timestamp = Timestamp(2_000_000_000_000);
/// A rate without effect, for tests about other things.
pub const FAST: f64 = 1e6;

/// Runs scenarios on both databases: `on_both!(a, b);` makes the tests `sqlite::a`, `postgres::a`, …
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::harness::run($crate::harness::Dialect::Sqlite, |b| Box::pin(super::$name(b))).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::harness::run($crate::harness::Dialect::Postgres, |b| Box::pin(super::$name(b))).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// Makes a database, runs `scenario`, checks every invariant, and drops the database again.
pub async fn run<F>(dialect: Dialect, scenario: F)
where
    F: for<'a> FnOnce(&'a Bench) -> BoxFuture<'a, ()>,
{
    let database = Database::create(dialect).await;
    let bench = Bench::open(database).await;
    let ran = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(async {
        scenario(&bench).await;
        bench.check("the end").await;
    }))
    .await;
    bench.database.drop_it().await;
    if let Err(panic) = ran {
        std::panic::resume_unwind(panic);
    }
}

/// A ledger with a worker on it.
pub struct Bench {
    pub store: Store,
    pub clock: Clock,
    pub policy: Policy,
    pub worker: WorkerId,
    pub database: Database,
    /// How often a provider found a person after it had said 'not found'.
    pub second_thoughts: AtomicI64,
    /// The calls of these people. The person may have been asked again before the provider changed its answer.
    pub changed_answers: Mutex<BTreeSet<String>>,
    /// The number of webhooks so far, which makes each body unique.
    webhooks: AtomicUsize,
}

impl Bench {
    async fn open(database: Database) -> Bench {
        let clock = Clock::manual(START);
        let store = Store::connect(&database.url, true, clock.clone()).await.expect("connects");
        let bench = Bench {
            store,
            clock,
            policy: Policy::default(),
            worker: WorkerId::generate(),
            database,
            second_thoughts: AtomicI64::new(0),
            changed_answers: Mutex::default(),
            webhooks: AtomicUsize::new(0),
        };
        bench.register(bench.worker, Some("key"), Some("url")).await;
        // With this tariff, a number without a stated price costs one credit.
        bench
            .database
            .run("UPDATE provider_gates SET tariff = 'legacy' WHERE provider = 'ocean'")
            .await;
        bench
    }

    /// A second store on the same database and clock, as in another process.
    pub async fn another_store(&self) -> Store {
        Store::connect(&self.database.url, true, self.clock.clone()).await.expect("connects")
    }

    pub async fn register(&self, id: WorkerId, key: Option<&str>, url: Option<&str>) {
        let setup = |provider| ProviderSetup {
            provider,
            key_fingerprint: key.map(str::to_owned),
            webhook_url: url.map(str::to_owned),
            needs_webhook: provider == Provider::Ocean,
            rate: FAST,
        };
        let worker = NewWorker {
            id,
            host: "here".into(),
            pid: 1,
            role: "all".into(),
            version: "0".into(),
            providers: Provider::ALL.map(setup).to_vec(),
        };
        self.store.workers().register_worker(worker, &self.policy).await.expect("registers");
    }

    /// Lets time pass, and keeps the worker alive.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.store.workers().heartbeat(self.worker).await.expect("heartbeat");
    }

    pub fn ask(&self, provider: Provider) -> ClaimReveals {
        ClaimReveals {
            provider,
            worker: self.worker,
            calls: 10,
            people: provider.most_people(),
            price: PerPerson::Fixed(Credits::whole(1)),
            rate: FAST,
            canary: 0,
            credits_check_interval: self.policy.credits_check_interval,
        }
    }

    pub async fn claim(&self, provider: Provider) -> Vec<ClaimedCall> {
        self.claim_as(self.ask(provider)).await
    }

    pub async fn claim_as(&self, ask: ClaimReveals) -> Vec<ClaimedCall> {
        self.store.calls().claim_reveals(ask).await.expect("claims").calls
    }

    /// Claims, and expects exactly one call.
    pub async fn claim_one(&self, provider: Provider) -> ClaimedCall {
        let mut calls = self.claim(provider).await;
        assert_eq!(calls.len(), 1, "expected one call to {provider}");
        calls.remove(0)
    }

    pub async fn accept(&self, call: &ClaimedCall) {
        self.accept_with(call, None).await;
    }

    pub async fn accept_with(&self, call: &ClaimedCall, tracking_id: Option<&str>) {
        let tracking_id = tracking_id.map(str::to_owned);
        self.store
            .calls()
            .answer_accepted(answer(call, 200), tracking_id, &self.policy)
            .await
            .expect("accepted");
    }

    pub async fn unknown(&self, call: &ClaimedCall) {
        let answer = Answer { call: call.clone(), http_status: None };
        self.store
            .calls()
            .answer_unknown(answer, "time-out after 30s".into(), &self.policy)
            .await
            .expect("unknown");
    }

    pub async fn refuse(&self, call: &ClaimedCall, status: u16, refusal: Refusal) {
        let outcome = format!("{refusal:?}");
        self.store
            .calls()
            .answer_refused(answer(call, status), outcome, on_refusal(refusal), &self.policy)
            .await
            .expect("refused");
    }

    /// The provider refuses the people at `places`, and names them.
    pub async fn refuse_people(&self, call: &ClaimedCall, places: &[usize]) {
        let bad = places.iter().map(|&index| BadPerson { index, message: "no such id".into() });
        self.refuse(call, 422, Refusal::BadPeople(bad.collect())).await;
    }

    /// The provider refuses a whole request and names no person.
    pub async fn refuse_request(&self, call: &ClaimedCall) {
        let refusal = Refusal::BadRequest { message: "a value was refused".into() };
        self.refuse(call, 422, refusal).await;
    }

    /// A webhook for a call: stored, then applied.
    pub async fn webhook(&self, call: &ClaimedCall, results: Vec<PersonResult>) -> Applied {
        self.webhook_to(call.provider, &call.call_id.to_string(), results).await
    }

    pub async fn webhook_to(
        &self,
        provider: Provider,
        call_id: &str,
        results: Vec<PersonResult>,
    ) -> Applied {
        let nth = self.webhooks.fetch_add(1, Ordering::Relaxed);
        let body = format!("{{}}{}", " ".repeat(nth)).into_bytes();
        let webhook = NewWebhook { provider, call_id: call_id.to_owned(), body, malformed: false };
        self.store.results().store_webhook(webhook).await.expect("stored");
        let pending = self.store.results().pending_webhooks(100, 1 << 20).await.expect("pending");
        let stored = pending.last().expect("one is pending");
        let delivery = brought_by(stored, results);
        self.store.results().settle(vec![delivery], &self.policy).await.expect("settles")[0]
    }
}

/// Results for a call that no stored webhook brought.
pub fn delivery(call: &ClaimedCall, results: impl IntoIterator<Item = PersonResult>) -> Delivery {
    Delivery::new(call.provider, call.call_id.to_string(), None, results, None)
}

/// Results that a stored webhook brought.
pub fn brought_by(
    webhook: &StoredWebhook,
    results: impl IntoIterator<Item = PersonResult>,
) -> Delivery {
    Delivery::new(webhook.provider, webhook.call_id.clone(), Some(webhook.id), results, None)
}

/// An answer with an HTTP status.
pub fn answer(call: &ClaimedCall, status: u16) -> Answer {
    Answer { call: call.clone(), http_status: Some(status) }
}

/// A result with a number for a person.
pub fn found(person: &str) -> PersonResult {
    found_for(person, None)
}

/// A result with a number for a person, and its price.
pub fn found_for(person: &str, credits: Option<i64>) -> PersonResult {
    let number = format!("+45 {person}");
    let phones = vec![Phone::new(number.clone(), Some(number), None, Some("mobile".into()))];
    result(person, Finding::Found { phones, credits: credits.map(Credits::whole) })
}

pub fn not_found(person: &str) -> PersonResult {
    result(person, Finding::NotFound)
}

pub fn result(person: &str, finding: Finding) -> PersonResult {
    PersonResult { person_id: Some(person.to_owned()), finding, remark: None }
}

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
