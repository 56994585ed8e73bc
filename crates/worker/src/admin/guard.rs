//! Lets requests through, with their visitor, or refuses them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, RETRY_AFTER};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Visitor;
use super::access::roles::{Action, Role};
use super::access::sessions;
use super::access::throttle::Source;
use super::state::Admin;
use super::{challenge, cookies, layout};
use crate::metrics::TokenFrom;
use crate::server::Peer;

/// The session's cookie.
const COOKIE_NAME: &str = "reveal_queue_session";

/// How long the answer to a wrong token is delayed.
const WRONG_TOKEN_WAITS: Duration = Duration::from_millis(500);

/// The visitor's name on a listener without tokens.
const LOCAL: &str = "local";

/// The outcome of trying a token.
enum Tried {
    Right(Visitor),
    Wrong,
    TooFast(Duration),
}

impl Admin {
    /// Tries a token, if its address has a try left.
    fn try_token(&self, given: &str, from: TokenFrom, peer: Option<IpAddr>) -> Tried {
        let (access, now) = (&self.access, self.app.store.now());
        let source = Source::of(peer);
        let metrics = self.app.metrics();
        if let Err(wait) = access.throttle.take(source, now) {
            metrics.token_tried(from, "too_fast");
            return Tried::TooFast(wait);
        }
        let Some(token) = access.tokens.find(given) else {
            metrics.token_tried(from, "wrong");
            tracing::warn!(
                peer = peer.map(|ip| ip.to_string()),
                from = from.as_str(),
                "wrong token"
            );
            return Tried::Wrong;
        };
        access.throttle.give_back(source, now);
        metrics.token_tried(from, "right");
        let logged_in = from == TokenFrom::Form;
        Tried::Right(Visitor { name: Arc::clone(&token.name), role: token.role, logged_in })
    }

    /// Begins a session for a token that was typed in. Returns its cookie.
    ///
    /// # Errors
    /// The answer to a token that is wrong, or comes too fast.
    pub(super) async fn log_in(
        &self,
        token: &str,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
        wrong: impl FnOnce() -> Response,
    ) -> Result<String, Response> {
        match self.try_token(token.trim(), TokenFrom::Form, peer) {
            Tried::Right(visitor) => {
                let secret = self.access.sessions.begin(visitor, self.app.store.now());
                let life = sessions::LIFE.as_secs();
                Ok(cookies::set(headers, COOKIE_NAME, &secret, life))
            }
            Tried::Wrong => {
                tokio::time::sleep(WRONG_TOKEN_WAITS).await;
                Err(wrong())
            }
            Tried::TooFast(wait) => Err(too_fast(wait)),
        }
    }

    /// Ends the session that a request belongs to. Returns the cookie that replaces the session's.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(secret) = cookies::read(headers, COOKIE_NAME) {
            self.access.sessions.end(secret);
        }
        cookies::set(headers, COOKIE_NAME, "", 0)
    }

    /// The visitor whose browser logged in.
    fn session(&self, headers: &HeaderMap) -> Option<Visitor> {
        let secret = cookies::read(headers, COOKIE_NAME)?;
        self.access.sessions.find(secret, self.app.store.now())
    }
}

/// Lets through the requests that the rule allows, with their visitor.
pub(super) async fn guard(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let (access, headers) = (&admin.access, request.headers());
    let Some(host) = host(headers, request.uri()) else {
        return refuse("The request names no host.");
    };
    if !access.knows_host(host.host()) {
        return refuse(
            "This name is not known here. Open the dashboard by its address, or set ADMIN_TOKEN to serve it under a name.",
        );
    }
    if let Some(token) = bearer(headers).filter(|_| access.asks_for_token()) {
        return match admin.try_token(token, TokenFrom::Bearer, peer(&request)) {
            Tried::Right(visitor) => pass(visitor, request, next).await,
            Tried::Wrong => {
                tokio::time::sleep(WRONG_TOKEN_WAITS).await;
                challenge::unauthorized()
            }
            Tried::TooFast(wait) => too_fast(wait),
        };
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_same_origin(headers, &host) {
        return refuse("This request came from another site. Nothing was changed.");
    }
    if !access.asks_for_token() {
        let visitor = Visitor { name: LOCAL.into(), role: Role::Admin, logged_in: false };
        return pass(visitor, request, next).await;
    }
    match admin.session(headers) {
        Some(visitor) => pass(visitor, request, next).await,
        None if request.uri().path() == challenge::PATH => next.run(request).await,
        None => challenge::ask(request.uri(), headers),
    }
}

async fn pass(visitor: Visitor, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

/// Lets a visitor through if their role may do `action`.
pub(super) async fn allow(action: Action, request: Request, next: Next) -> Response {
    match request.extensions().get::<Visitor>() {
        Some(visitor) if visitor.role.may(action) => next.run(request).await,
        Some(visitor) => refuse(&format!("The role {} may not do that.", visitor.role)),
        None => refuse("It is not known who asks."),
    }
}

/// The address at the other end of the connection. A proxy's word about the address behind it could be forged.
pub(super) fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0.ip())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn host(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let named = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    named.or_else(|| uri.authority().cloned())
}

/// Returns whether a form comes from this site. Every browser says where a form was sent from; a request that doesn't
/// say is no browser's.
fn is_same_origin(headers: &HeaderMap, host: &Authority) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    match text(ORIGIN.as_str()) {
        Some(origin) => {
            let place = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
            place.is_some_and(|place| place.eq_ignore_ascii_case(host.as_str()))
        }
        None => text("sec-fetch-site").is_some(),
    }
}

fn refuse(why: &str) -> Response {
    (StatusCode::FORBIDDEN, layout::message("Not allowed", why)).into_response()
}

fn too_fast(wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let text = format!("Too many wrong tokens came from your address. Try again in {seconds} s.");
    let page = layout::message("Wait a moment", &text);
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())], page).into_response()
}
