//! How single settings are written, and what is wrong with one that isn't.

use std::net::SocketAddr;
use std::time::Duration;

use jobs::duration;
use url::{Host, Url};

/// A duration, or `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(pub Option<Duration>);

impl std::str::FromStr for Grace {
    type Err = duration::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "never" {
            Ok(Grace(None))
        } else {
            duration::parse(text).map(|d| Grace(Some(d)))
        }
    }
}

/// Whether an address leads nowhere but to the machine that uses it.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        None => false,
    }
}

/// An address to listen on.
pub(crate) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, as in 127.0.0.1:8787".to_owned())
}

/// An address on the web.
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    url.ok_or_else(|| "write it with its scheme, as in https://hooks.example.com".to_owned())
}
