//! The dashboard on a ledger of its own, asked without a network.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use end_to_end::{Database, Kind};
use jobs::outcome::{Balance, DailyQuota, Finding, PersonResult, Phone, Refusal};
use jobs::verdict::on_refusal;
use jobs::{
    BatchId, Clock, Credits, Identifier, IdentifierKind, PerPerson, Policy, Provider, WorkerId,
};
use providers::Signer;
use providers::signature::DatedSecret;
use secrecy::SecretString;
use store::{
    Answer, ClaimReveals, ClaimedCall, Delivery, NewBatch, NewRow, NewStep, NewWebhook, NewWorker,
    ProviderSetup, Published, Store,
};
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use worker::admin::{Access, Tokens, TokensFile, router};
use worker::app::{App, Inner, Limits};
use worker::metrics::Metrics;
use worker::signing::Signing;

pub const HOST: &str = "127.0.0.1:8788";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// No page takes longer on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Site {
    pub store: Store,
    pub database: Database,
    /// The counters of the process that serves the site.
    pub metrics: Metrics,
    router: Router,
    worker: WorkerId,
    policy: Policy,
    _directory: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }
}

impl Site {
    /// A site that is open to this machine.
    pub async fn open(kind: Kind) -> Site {
        Site::serving(kind, "127.0.0.1:8788", Tokens::default(), Clock::system()).await
    }

    /// A site that asks for [`TOKEN`], an admin's.
    pub async fn locked() -> Site {
        Site::locked_at(Clock::system()).await
    }

    /// The same on a clock that is turned by hand.
    pub async fn locked_at(clock: Clock) -> Site {
        let tokens = Tokens::new(Some(&SecretString::from(TOKEN)), None).expect("a token");
        Site::serving(Kind::Sqlite, "0.0.0.0:8788", tokens, clock).await
    }

    /// A site that asks for [`TOKEN`], or for a token of a file.
    pub async fn with_tokens(kind: Kind, lines: &str) -> Site {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), lines).expect("written");
        let file = TokensFile::read(&file.path().display().to_string()).expect("tokens");
        let tokens = Tokens::new(Some(&SecretString::from(TOKEN)), Some(&file));
        Site::serving(kind, "0.0.0.0:8788", tokens.expect("tokens"), Clock::system()).await
    }

    async fn serving(kind: Kind, address: &str, tokens: Tokens, clock: Clock) -> Site {
        let directory = tempfile::tempdir().expect("a directory");
        let database = Database::create(kind, directory.path()).await;
        let store = Store::connect(&database.url, true, clock).await.expect("connects");
        let (worker, policy) = (WorkerId::generate(), Policy::default());
        let access = Access::new(address.parse().expect("an address"), tokens);
        let app = app(worker, store.clone(), policy.clone());
        let metrics = app.metrics().clone();
        let router = router(app, access.expect("it may be served"));
        let site = Site { store, database, metrics, router, worker, policy, _directory: directory };
        site.register().await;
        site
    }

    async fn register(&self) {
        let setup = |provider| ProviderSetup {
            provider,
            key_fingerprint: Some("key".into()),
            webhook_url: Some("url".into()),
            needs_webhook: provider == Provider::Ocean,
            rate: 1e6,
        };
        let worker = NewWorker {
            id: self.worker,
            host: "here".into(),
            pid: 1,
            role: "all".into(),
            version: "0".into(),
            providers: Provider::ALL.map(setup).to_vec(),
        };
        self.store.workers().register_worker(worker, &self.policy).await.expect("registers");
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().call(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 24).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        Reply { status: parts.status, headers: parts.headers, text }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(request("GET", path, headers, "")).await
    }

    /// Returns the page once it contains `words`: a page may be a second old.
    pub async fn until(&self, path: &str, words: &str) -> String {
        let started = Instant::now();
        loop {
            let page = self.get(path).await.text;
            if page.contains(words) {
                return page;
            }
            assert!(started.elapsed() < PATIENCE, "{path} doesn't say {words:?}: {page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The page to which a browser goes on after a form, with the cookie that it was given.
    pub async fn next(&self, reply: &Reply) -> Reply {
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
        let cookie = reply.header("set-cookie").split(';').next().unwrap_or_default();
        self.get_with(reply.header("location"), &[("cookie", cookie)]).await
    }

    /// Sends a form as the dashboard's own pages do.
    pub async fn post(&self, path: &str, form: &'static str) -> Reply {
        let own = [("origin", "http://127.0.0.1:8788"), ("sec-fetch-site", "same-origin")];
        self.send(request("POST", path, &own, form)).await
    }

    /// Logs a browser in. Returns its cookie.
    pub async fn log_in(&self, token: &str) -> String {
        let own = [("origin", "http://127.0.0.1:8788"), ("sec-fetch-site", "same-origin")];
        let mut login = request("POST", "/login", &own, "");
        *login.body_mut() = Body::from(format!("token={token}&next=%2F"));
        let reply = self.send(login).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
        reply.header("set-cookie").split(';').next().expect("a cookie").to_owned()
    }

    /// A batch of `o1`, `o2`, … at Ocean.
    pub async fn submit(&self, name: &str, people: i64, ceiling: Option<i64>) -> BatchId {
        let max_credits: BTreeMap<_, _> =
            ceiling.map(|most| (Provider::Ocean, Credits::whole(most))).into_iter().collect();
        let new = NewBatch {
            name: Some(name.to_owned()),
            header: Some(vec!["name".into()]),
            priority: 0,
            max_credits,
            refresh_before: None,
            wants_mobile: false,
        };
        let loading = self.store.batches().begin_batch(new).await.expect("begins");
        let rows = (1..=people).map(row).collect();
        self.store.batches().load(&loading, rows).await.expect("loads");
        match self.store.batches().publish(&loading, None).await.expect("publishes") {
            Published::Now => loading.batch_id,
            Published::Before(_) => panic!("there was no key"),
        }
    }

    /// Claims an Ocean call of up to `people` people.
    pub async fn claim(&self, people: usize) -> ClaimedCall {
        let ask = ClaimReveals {
            provider: Provider::Ocean,
            worker: self.worker,
            calls: 1,
            people,
            price: PerPerson::Fixed(Credits::whole(1)),
            rate: 1e6,
            canary: 0,
            credits_check_interval: Duration::from_secs(300),
        };
        self.store.calls().claim_reveals(ask).await.expect("claims").calls.pop().expect("one call")
    }

    /// Sends `found + not_found` people, and lets their results come.
    pub async fn reveal(&self, found: usize, not_found: usize) {
        let call = self.claim(found + not_found).await;
        let answer = Answer { call: call.clone(), http_status: Some(200) };
        self.store.calls().answer_accepted(answer, None, &self.policy).await.expect("accepted");
        let results = call.people.iter().enumerate().map(|(place, person)| PersonResult {
            person_id: Identifier::decode(person).map(|id| id.value().to_owned()),
            finding: if place < found { number() } else { Finding::NotFound },
            remark: None,
        });
        let call_id = call.call_id.to_string();
        let inbox = Some(self.webhook(&call_id).await);
        let delivery = Delivery::new(Provider::Ocean, call_id, inbox, results, None);
        self.store.results().settle(vec![delivery], &self.policy).await.expect("settles");
    }

    /// Stores a webhook from Ocean. Returns its place in the inbox.
    async fn webhook(&self, call_id: &str) -> i64 {
        let (call_id, body) = (call_id.to_owned(), b"{}".to_vec());
        let webhook = NewWebhook { provider: Provider::Ocean, call_id, body, malformed: false };
        self.store.results().store_webhook(webhook).await.expect("stores");
        let mut pending = self.store.results().pending_webhooks(1, 1_000).await.expect("reads");
        pending.pop().expect("the webhook").id
    }

    /// Ends the one worker.
    pub async fn stop_worker(&self) {
        self.store.workers().worker_stopped(self.worker).await.expect("stops");
    }

    /// Records a balance: what Ocean's account holds, and how many requests the day has left.
    pub async fn balance(&self, credits: i64) {
        let (claimed, _) = self
            .store
            .gates()
            .claim_balance(Provider::Ocean, 1e6)
            .await
            .expect("asks for the balance");
        let daily = Some(DailyQuota { left: 900, resets_in: Duration::from_secs(3600) });
        let balance = Balance { credits: Credits::whole(credits), tariff: None, daily };
        let claimed = claimed.expect("it is due");
        let price = PerPerson::Fixed(Credits::whole(1));
        let said =
            self.store.gates().record_balance(claimed, Ok(balance), Some(200), price, &self.policy);
        said.await.expect("is written down");
    }

    /// Records a refused call.
    pub async fn refuse(&self, refusal: Refusal) {
        let answer = Answer { call: self.claim(1).await, http_status: Some(503) };
        let verdict = on_refusal(refusal);
        self.store
            .calls()
            .answer_refused(answer, "refused".into(), verdict, &self.policy)
            .await
            .expect("refused");
    }
}

pub fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", HOST);
    }
    if method == "POST" {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).expect("a request")
}

fn number() -> Finding {
    let phone = Phone::new("+4512345678".into(), Some("+4512345678".into()), None, None);
    Finding::Found { phones: vec![phone], credits: Some(Credits::whole(1)) }
}

fn row(number: i64) -> NewRow {
    let id =
        Identifier::parse(IdentifierKind::OceanPersonId, &format!("o{number}")).expect("an id");
    NewRow {
        number,
        fields: format!("[\"Person {number}\"]"),
        identifiers: [id.encode().into()].into(),
        steps: [NewStep { provider: Provider::Ocean, asks_by: Some(0) }].into_iter().collect(),
        erased: false,
    }
}

fn app(worker: WorkerId, store: Store, policy: Policy) -> App {
    let rate = "5/s".parse().expect("a rate");
    let secret = DatedSecret { secret: SecretString::from(TOKEN), made_at: store.now() };
    let signer = Signer::new(&[secret], store.now()).expect("a signer");
    App::new(Inner {
        worker,
        store,
        policy,
        ocean: None,
        clodura: None,
        limits: Limits {
            ocean_rate: rate,
            clodura_rate: rate,
            ocean_in_flight: 1,
            clodura_in_flight: 1,
            ocean_people: 500,
            ocean_price: PerPerson::Fixed(Credits::whole(1)),
            clodura_price: PerPerson::Fixed(Credits::whole(1)),
            canary: 0,
            clodura_partners: true,
        },
        signing: Signing::with(signer),
        public_url: None,
        supervisor: worker::supervise::Supervisor::default(),
        stopping: CancellationToken::new(),
    })
}
