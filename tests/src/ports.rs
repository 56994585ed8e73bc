//! Ports that nothing else takes between choosing them and listening on them.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what the system hands out for outgoing connections, which would take a port while the
/// worker that listens on it is restarted.
const FIRST: u32 = 12_000;
const COUNT: u32 = 8_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 that is free, and handed out once in this process.
pub fn free_port() -> u16 {
    let offset = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let n = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset) % COUNT;
        let port = u16::try_from(FIRST + n).expect("below 20,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free")
}
