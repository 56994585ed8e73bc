//! Who may see the dashboard, and what they may do there. On a loopback address everybody at the machine may, but no
//! page of another site that their browser happens to have open; elsewhere a token is asked for.

/// What each role may do.
pub mod roles;
/// Logins of browsers.
pub mod sessions;
/// How fast tokens can be tried.
pub mod throttle;
/// The tokens themselves.
pub mod tokens;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, RETRY_AFTER};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use store::{Actor, Origin, Store};

use self::roles::{Action, Role};
use self::sessions::Sessions;
use self::throttle::{Source, Throttle};
use self::tokens::Tokens;
use super::{Admin, cookies, layout, login};
use crate::metrics::TokenFrom;
use crate::server::Peer;

/// The session's cookie.
pub const COOKIE_NAME: &str = "reveal_queue_session";
/// How long a wrong token is left without an answer.
const WRONG_TOKEN_WAITS: Duration = Duration::from_millis(500);
/// The visitor's name where no token is asked for.
const LOCAL: &str = "local";

/// The rule for one listener, and who is logged in; cheap to clone.
#[derive(Clone)]
pub struct Access {
    address: IpAddr,
    tokens: Arc<Tokens>,
    sessions: Arc<Sessions>,
    throttle: Arc<Throttle>,
}

/// The person or program that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Of the token.
    pub name: Arc<str>,
    /// Of the token.
    pub role: Role,
    /// Whether there is a session to be ended.
    pub logged_in: bool,
}

impl Visitor {
    /// The ledger, which writes down what this visitor does.
    pub(super) fn acting_on(&self, store: &Store) -> Store {
        store.acting_as(Actor::new(Origin::Dashboard, &self.name, Some(self.role.as_str())))
    }
}

/// What came of trying a token.
enum Tried {
    Right(Visitor),
    Wrong,
    TooFast(Duration),
}

impl Access {
    /// What `ADMIN_ADDR` and the tokens ask for together.
    ///
    /// # Errors
    /// An address that others can reach, without a token. The text says what to do.
    pub fn new(address: SocketAddr, tokens: Tokens) -> Result<Self, String> {
        let address = address.ip().to_canonical();
        if tokens.is_empty() && !address.is_loopback() {
            return Err(format!(
                "ADMIN_ADDR {address} can be reached by others, and there is no ADMIN_TOKEN; set one \
                 (openssl rand -hex 32) or ADMIN_TOKENS_FILE, or use 127.0.0.1"
            ));
        }
        Ok(Access {
            address,
            tokens: Arc::new(tokens),
            sessions: Arc::default(),
            throttle: Arc::default(),
        })
    }

    /// Whether visitors must log in.
    #[must_use]
    pub fn asks_for_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// DNS can be made to lead another site's name to this machine: without a token only names that
    /// can't be anybody else's are served.
    fn knows_host(&self, host: &str) -> bool {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        self.asks_for_token()
            || name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == self.address)
    }
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

    /// Begins a session for a token that was typed in; gives its cookie.
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

    /// Ends the session that a request belongs to; gives the cookie that takes its place.
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

/// Lets through what the rule allows, with its visitor.
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
                login::unauthorized()
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
        None if request.uri().path() == login::PATH => next.run(request).await,
        None => login::ask(request.uri(), headers),
    }
}

async fn pass(visitor: Visitor, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

/// Lets a visitor through whose role may do what an address is for.
pub(super) async fn allow(action: Action, request: Request, next: Next) -> Response {
    match request.extensions().get::<Visitor>() {
        Some(visitor) if visitor.role.may(action) => next.run(request).await,
        Some(visitor) => refuse(&format!("The role {} may not do that.", visitor.role)),
        None => refuse("It is not known who asks."),
    }
}

/// The address at the other end of the connection. What a proxy says of the address behind it could be made up.
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

/// Every browser says where a form was sent from; what says nothing is no browser's form.
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

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn access(address: &str, token: Option<&str>) -> Result<Access, String> {
        let token = token.map(SecretString::from);
        Access::new(address.parse().unwrap(), Tokens::new(token.as_ref(), None)?)
    }

    #[test]
    fn an_address_of_others_wants_a_token() {
        assert!(access("127.0.0.1:1", None).is_ok());
        assert!(access("[::1]:1", None).is_ok());
        assert!(access("[::ffff:127.0.0.1]:1", None).is_ok());
        for open in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
            assert!(access(open, None).is_err_and(|why| why.contains("ADMIN_TOKEN")), "{open}");
            assert!(access(open, Some("")).is_err(), "an empty variable is no token");
            assert!(access(open, Some("short")).is_err());
            assert!(access(open, Some("0123456789abcdef")).is_ok());
        }
    }

    #[test]
    fn without_a_token_only_this_machines_names_are_served() {
        let open = access("127.0.0.1:1", None).unwrap();
        for known in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "127.0.0.2"] {
            assert!(open.knows_host(known), "{known}");
        }
        for foreign in ["evil.example", "localhost.evil.example", "192.0.2.1", ""] {
            assert!(!open.knows_host(foreign), "{foreign}");
        }
    }
}
