use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use jobs::words::masked;
use jobs::{duration, json};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::body::guarded;
use crate::words::Sent;
use crate::{acceptance, gzip, retry_after, words};

/// The most bytes that are read of an answer; the answers for 500 people are some 50 KiB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The most bytes that are read of a lookup's answer, which holds a thousand people's profiles.
const LARGEST_LOOKUP: usize = 32 * 1024 * 1024;

/// The type of every order's body.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Cloudflare's mark on an answer of its own.
const CF_MITIGATED: HeaderName = HeaderName::from_static("cf-mitigated");

/// The longest time for DNS, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Shorter than any server's own keep-alive (Node's 5 s is the shortest in wide
/// use): a request on a connection that the server is just closing has an unknown outcome, which costs more than a
/// handshake.
const KEEP_IDLE: Duration = Duration::from_secs(4);

/// Makes the HTTP client for every provider. `timeout` is for a whole request, answer included.
///
/// The client never follows a redirect (that would carry the key and the order elsewhere), never repeats a request by
/// itself (the order might be accepted twice), and takes no proxy from the environment.
///
/// # Errors
/// No usable TLS: the system's certificate store can't be read.
#[expect(clippy::disallowed_methods, reason = "the one place where a client is made")]
pub fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    // An error means that a crypto provider is installed already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("reveal-queue/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .http1_only()
        .timeout(timeout)
        // Less than the whole time-out, so that a host that can't be reached differs from a lost answer.
        .connect_timeout(CONNECT.min(timeout / 2))
        .pool_idle_timeout(KEEP_IDLE)
        .build()
}

tokio::task_local! {
    static STATUS: Cell<Option<u16>>;
}

/// Runs one request of a client and also returns the HTTP status that came back, if any. Outcomes say what the answer
/// means; the call log shows the status on the wire.
///
/// ```no_run
/// # async fn example(ocean: providers::ocean::Client, people: &[&str], webhook: &str) {
/// let (outcome, status) = providers::http::with_status(ocean.reveal(people, webhook)).await;
/// # }
/// ```
pub async fn with_status<T>(request: impl Future<Output = T>) -> (T, Option<u16>) {
    let observed = async {
        let result = request.await;
        (result, STATUS.with(Cell::get))
    };
    STATUS.scope(Cell::new(None), observed).await
}

/// Why a client can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccount {
    /// The key is empty, or has a line break or another character that no header can carry.
    #[error("the key is empty or has characters that can't be sent in a header")]
    Key,
    /// The base URL is no HTTP address.
    #[error("the base URL must begin with https:// or http://")]
    BaseUrl,
}

/// An account with a provider: where it is reached and with which key.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    http: Client,
    base: Url,
    header: HeaderName,
    /// Marked sensitive: prints as `Sensitive`.
    header_value: HeaderValue,
    key: SecretString,
}

impl Account {
    pub(crate) fn new(
        http: Client,
        base: Url,
        header: HeaderName,
        key: SecretString,
    ) -> Result<Self, InvalidAccount> {
        if !matches!(base.scheme(), "http" | "https") {
            return Err(InvalidAccount::BaseUrl);
        }
        let mut header_value = HeaderValue::from_str(key.expose_secret().trim())
            .ok()
            .filter(|value| !value.is_empty())
            .ok_or(InvalidAccount::Key)?;
        header_value.set_sensitive(true);
        Ok(Account { http, base, header, header_value, key })
    }

    /// Sends a GET to a path; `id` is the part of the path that may not be shown.
    pub(crate) async fn get(&self, path: &[&str], id: Option<&str>) -> Result<Answer, Failure> {
        let sent = Sent::look(self.key.clone(), id);
        self.exchange(self.http.get(self.url(path)), sent, LARGEST_BODY).await
    }

    pub(crate) async fn post(
        &self,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<Answer, Failure> {
        self.order(path, body, LARGEST_BODY).await
    }

    /// Posts an order that is answered with people's profiles.
    pub(crate) async fn post_for_profiles(
        &self,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<Answer, Failure> {
        self.order(path, body, LARGEST_LOOKUP).await
    }

    async fn order(
        &self,
        path: &[&str],
        body: &(impl Serialize + Sync),
        largest: usize,
    ) -> Result<Answer, Failure> {
        let sent = Sent::order(self.key.clone(), body)
            .map_err(|error| Failure::NotSent(format!("the order can't be written: {error}")))?;
        let request = self.http.post(self.url(path)).header(CONTENT_TYPE, JSON);
        self.exchange(request.body(guarded(sent.json())), sent, largest).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only an address without a host has no segments, and such a base was refused.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
        sent: Sent,
        largest: usize,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let response = request
            .header(self.header.clone(), self.header_value.clone())
            .send()
            .await
            .map_err(|error| Failure::new(error, started.elapsed(), &sent))?;
        let status = response.status().as_u16();
        let _ = STATUS.try_with(|cell| cell.set(Some(status)));
        let retry_after = retry_after::read(response.headers());
        let challenged = response.headers().contains_key(CF_MITIGATED);
        let body = read(response, largest).await;
        Ok(Answer { status, retry_after, challenged, sent, body })
    }
}

/// An answer whose head arrived. From here on the status decides; a body that can't be read
/// changes nothing about what the provider did.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// Whether a proxy says that it answered in the provider's place.
    challenged: bool,
    /// What was sent; it is not shown if the provider repeats it.
    sent: Sent,
    /// `None` if the body broke off or was too large.
    body: Option<Vec<u8>>,
}

impl Answer {
    /// The provider's words.
    pub(crate) fn words(&self) -> String {
        words::quote(self.status, self.body.as_deref(), &self.sent.known())
    }

    /// Makes a part of the provider's words fit to be shown.
    pub(crate) fn fit(&self, text: &str) -> String {
        masked(text, &self.sent.known())
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body; `None` if it broke off or was too large.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The body as text in lower case, for looking for a documented phrase; empty if unreadable.
    pub(crate) fn lower_case_text(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        String::from_utf8_lossy(body).to_lowercase()
    }

    /// Whether a proxy answered and not the provider: the answer says so, or is a web page.
    pub(crate) fn is_from_a_proxy(&self) -> bool {
        self.challenged || self.is_page()
    }

    /// Whether the body is a web page.
    fn is_page(&self) -> bool {
        let text = self.lower_case_text();
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<head")
    }

    /// Whether a 2xx says what the provider documents: an object with one of `fields`, and no error. A body that is
    /// empty or was cut off says nothing else, and counts as documented.
    pub(crate) fn is_documented(&self, fields: &[&str]) -> bool {
        let Some(body) = self.body.as_deref().filter(|body| !body.trim_ascii().is_empty()) else {
            return true;
        };
        json::read(body).is_ok_and(|body| acceptance::is_acceptance(&body, fields))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(json::read(self.body.as_deref()?).ok()?).ok()
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of the request was sent: DNS, TCP or TLS failed, or the order could not be written.
    NotSent(String),
    /// The request was not sent: its time was over before its first byte left.
    TooLate,
    /// The request left, at least in part.
    Lost(String),
}

impl Failure {
    fn new(error: reqwest::Error, after: Duration, sent: &Sent) -> Self {
        // The address may hold a tracking id and a user's host, and is of no use in a message.
        let error = error.without_url();
        if crate::body::was_too_late(&error) {
            Failure::TooLate
        } else if error.is_connect() || error.is_builder() {
            let cause = masked(&innermost(&error), &sent.known());
            Failure::NotSent(format!("no connection: {cause}"))
        } else if error.is_timeout() {
            Failure::Lost(format!("time-out after {}", duration::display(after)))
        } else {
            let cause = masked(&innermost(&error), &sent.known());
            Failure::Lost(format!("connection lost: {cause}"))
        }
    }
}

/// Returns the innermost cause, which says what happened; the causes above it only say where.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn read(mut response: Response, largest: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > largest {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(gzip::unpacked(&body, largest).ok()?.into_owned())
}
