//! A client of both providers and a listener for webhooks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use reqwest::{Client, RequestBuilder, Response};
use sandbox::{Config, Sandbox};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};

/// The bound of every wait.
pub const SOON: Duration = Duration::from_secs(10);

/// A sandbox, a client and a listener.
pub struct Stage {
    pub sandbox: Sandbox,
    pub client: Client,
    pub inbox: Inbox,
}

/// The webhooks that were received, and the statuses with which the next ones are answered (200 by default).
#[derive(Clone, Default)]
pub struct Inbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    url: Mutex<String>,
    bodies: Mutex<Vec<Bytes>>,
    answers: Mutex<VecDeque<u16>>,
    came: Notify,
}

impl Stage {
    pub async fn instant() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::instant();
        change(&mut config);
        let sandbox = Sandbox::start(config).await.expect("starts");
        Self { sandbox, client: client(), inbox: Inbox::open().await }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub fn ocean(&self, body: &Value) -> RequestBuilder {
        self.client.post(self.url("/v2/reveal/phones")).header("x-api-token", "key").json(body)
    }

    /// Asks Ocean for people, with the webhook going to the inbox.
    pub async fn ask_ocean(&self, ids: &[&str]) -> Answer {
        let body = json!({"personIds": ids, "webhookUrl": self.inbox.url()});
        Answer::of(self.ocean(&body).send().await.expect("answered")).await
    }

    pub fn clodura(&self, body: &Value) -> RequestBuilder {
        self.client
            .post(self.url("/api/v1/search/people/phone/match"))
            .header("x-api-key", "key")
            .json(body)
    }

    /// Asks Clodura and its partners for a person.
    pub async fn ask_clodura(&self, id: &str) -> Answer {
        let body = json!({"personId": id, "revealPhoneNumberViaPartners": true, "webhookUrl": self.inbox.url()});
        Answer::of(self.clodura(&body).send().await.expect("answered")).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request =
            self.client.get(self.url(path)).header("x-api-token", "key").header("x-api-key", "key");
        Answer::of(request.send().await.expect("answered")).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.client.post(self.url(path)).json(body).send().await.expect("answered"))
            .await
    }

    pub async fn track(&self, accepted: &Answer) -> Answer {
        let id = accepted.body["trackingId"].as_str().expect("a tracking id");
        self.get(&format!("/api/v1/search/people/track/{id}")).await
    }

    /// Waits until nothing more will happen.
    pub async fn idle(&self) {
        assert!(self.sandbox.wait_until_idle(SOON).await, "{:#?}", self.sandbox.stats());
    }
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// Null where the body is not JSON.
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    #[track_caller]
    pub fn is(&self, status: u16, body: &Value) {
        assert_eq!((self.status, &self.body), (status, body), "{}", self.text);
    }
}

impl Inbox {
    async fn open() -> Self {
        let inbox = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        *inbox.0.url.lock().unwrap() =
            format!("http://{}/hook", listener.local_addr().expect("an address"));
        let app = Router::new().route("/hook", post(receive)).with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        inbox
    }

    pub fn url(&self) -> String {
        self.0.url.lock().unwrap().clone()
    }

    /// Answers the next webhooks with these statuses.
    pub fn answer_with(&self, statuses: impl IntoIterator<Item = u16>) {
        self.0.answers.lock().unwrap().extend(statuses);
    }

    pub fn bodies(&self) -> Vec<Bytes> {
        self.0.bodies.lock().unwrap().clone()
    }

    pub fn len(&self) -> usize {
        self.0.bodies.lock().unwrap().len()
    }

    /// Returns the first `count` webhooks as JSON, once they are there.
    pub async fn wait(&self, count: usize) -> Vec<Value> {
        let all_here = async {
            while self.len() < count {
                self.0.came.notified().await;
            }
        };
        tokio::time::timeout(SOON, all_here).await.expect("webhooks in time");
        self.bodies()[..count]
            .iter()
            .map(|body| serde_json::from_slice(body).expect("JSON"))
            .collect()
    }
}

async fn receive(State(inbox): State<Inbox>, body: Bytes) -> StatusCode {
    inbox.0.bodies.lock().unwrap().push(body);
    inbox.0.came.notify_one();
    let status = inbox.0.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).expect("a status")
}

#[expect(
    clippy::disallowed_methods,
    reason = "no part of the clients' code is used here, their HTTP client included"
)]
fn client() -> Client {
    // Sandbox::start has installed the TLS provider, which every reqwest client needs.
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("a client")
}
