//! `worker healthcheck`: whether the worker on `ADMIN_ADDR` answers. For images, which have no shell and no HTTP client.

use std::io::{Error, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;

use crate::config::socket_address;

/// How long the worker may take for each step.
const PATIENCE: Duration = Duration::from_secs(3);

/// Not `/readyz`: a restart does not help a worker whose database is away.
const REQUEST: &[u8] = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";

/// Bytes that are read of the answer; it has fewer.
const LONGEST_ANSWER: u64 = 4096;

#[allow(missing_docs, reason = "clap would show it in place of the command's own text")]
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The IP address and port of the worker's health, metrics and dashboard
    #[arg(long, env = "ADMIN_ADDR", value_parser = socket_address, default_value = "127.0.0.1:8788")]
    pub admin_addr: SocketAddr,
}

/// Asks the worker.
///
/// # Errors
/// There is no answer, or the worker is not healthy.
pub fn check(options: &Options) -> Result<()> {
    let address = reachable(options.admin_addr);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let first = answer.lines().next().unwrap_or_default();
    if first.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(Error::other(format!("{address} answers {first:?}")))
    }
}

/// Returns an address to connect to. A process can listen on the unspecified address, but no client can connect to
/// it.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_at_this_machines_own() {
        for (listening, asked) in [
            ("0.0.0.0:8788", "127.0.0.1:8788"),
            ("[::]:8788", "[::1]:8788"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            let [listening, asked] = [listening, asked].map(|text| text.parse().ok());
            assert_eq!(listening.map(reachable), asked);
        }
    }
}
