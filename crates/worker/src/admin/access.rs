//! Who may see the dashboard, and what each visitor may do there. On a loopback address every user of the machine may
//! see it, but no page of another site that is open in the same browser. On any other address a token is needed.

/// What each role may do.
pub mod roles;
/// Logins of browsers.
pub mod sessions;
/// How fast tokens can be tried.
pub mod throttle;
/// The tokens themselves.
pub mod tokens;
/// The person or program that a request comes from.
mod visitor;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use self::sessions::Sessions;
use self::throttle::Throttle;
use self::tokens::Tokens;
pub use self::visitor::Visitor;

/// The rule for one listener, and who is logged in; cheap to clone.
#[derive(Clone)]
pub struct Access {
    address: IpAddr,
    pub(super) tokens: Arc<Tokens>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) throttle: Arc<Throttle>,
}

impl Access {
    /// Combines `ADMIN_ADDR` and the tokens into the rule of a listener.
    ///
    /// # Errors
    /// The address can be reached from other machines, and there is no token. The text says what to do.
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

    /// Whether this name may be served. DNS can point another site's name at this machine, so without a token only
    /// names that no other site can have are served.
    pub(super) fn knows_host(&self, host: &str) -> bool {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        self.asks_for_token()
            || name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == self.address)
    }
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
