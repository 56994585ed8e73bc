//! Who may see the dashboard. On a loopback address whoever sits at the machine may, but no page of
//! another site that their browser happens to have open; elsewhere a token is asked for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Admin, layout, login};

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;
/// The session's cookie.
pub const COOKIE_NAME: &str = "reveal_queue_session";
/// What a session's value is made from, besides the token.
const PURPOSE: &[u8] = b"reveal-queue admin session v1";

/// The rule for one listener; cheap to clone.
#[derive(Clone)]
pub struct Access {
    address: IpAddr,
    token: Option<Arc<SecretString>>,
}

impl Access {
    /// What `ADMIN_ADDR` and `ADMIN_TOKEN` ask for together.
    ///
    /// # Errors
    /// An address that others can reach, without a token; a token that could be guessed. The text
    /// says what to do.
    pub fn new(address: SocketAddr, token: Option<&SecretString>) -> Result<Self, String> {
        let token = token.filter(|token| !token.expose_secret().is_empty());
        let address = address.ip().to_canonical();
        match token {
            None if !address.is_loopback() => Err(format!(
                "ADMIN_ADDR {address} can be reached by others, and there is no ADMIN_TOKEN; set one \
                 (openssl rand -hex 32), or use 127.0.0.1"
            )),
            Some(token) if token.expose_secret().len() < SHORTEST_TOKEN => {
                Err(format!("ADMIN_TOKEN must have at least {SHORTEST_TOKEN} characters"))
            }
            token => Ok(Access { address, token: token.cloned().map(Arc::new) }),
        }
    }

    /// Whether visitors must log in.
    #[must_use]
    pub fn asks_for_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether `given` is the token. Takes the same time however much of it is right.
    #[must_use]
    pub fn is_token(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| {
            let hash = |text: &str| Sha256::digest(text.as_bytes());
            hash(token.expose_secret()).ct_eq(&hash(given)).into()
        })
    }

    /// The value of the cookie of those who know the token: it tells nothing about the token, and
    /// ends when the token is replaced.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(token.expose_secret().as_bytes()).ok()?;
        mac.update(PURPOSE);
        Some(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn is_session(&self, given: &str) -> bool {
        self.session().is_some_and(|session| session.as_bytes().ct_eq(given.as_bytes()).into())
    }

    /// DNS can be made to lead another site's name to this machine: without a token only names that
    /// can't be anybody else's are served.
    fn knows_host(&self, host: &str) -> bool {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        self.token.is_some()
            || name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == self.address)
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        if self.token.is_none() {
            return true;
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|c| c.split_once('='));
        pairs.any(|(name, value)| name.trim() == COOKIE_NAME && self.is_session(value.trim()))
    }

    fn has_bearer(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.split_once(' '));
        token.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && self.is_token(token.trim())
        })
    }
}

/// Lets through what the rule allows.
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
    if access.has_bearer(headers) {
        return next.run(request).await;
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_same_origin(headers, &host) {
        return refuse("This request came from another site. Nothing was changed.");
    }
    if request.uri().path() == login::PATH || access.is_known(headers) {
        return next.run(request).await;
    }
    login::ask(request.uri(), headers)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn access(address: &str, token: Option<&str>) -> Result<Access, String> {
        let token = token.map(SecretString::from);
        Access::new(address.parse().unwrap(), token.as_ref())
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

    #[test]
    fn a_session_ends_with_its_token() {
        let one = access("127.0.0.1:1", Some("0123456789abcdef")).unwrap();
        let other = access("127.0.0.1:1", Some("0123456789abcdeg")).unwrap();
        let session = one.session().unwrap();
        assert!(one.is_session(&session) && !other.is_session(&session));
        assert!(!session.contains("0123456789abcdef"));
        assert!(one.is_token("0123456789abcdef") && !one.is_token("0123456789abcde"));
    }
}
