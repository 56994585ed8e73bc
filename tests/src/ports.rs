//! Ports that no other test takes between the choice and the listening.

use std::fs::File;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// The first port, below the system's ephemeral ports. An outgoing connection could take an ephemeral
/// port while the worker that listens on it restarts.
const FIRST: u32 = 12_000;
const COUNT: u32 = 8_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A locked file for each port that was handed out. The system unlocks them when this process ends.
static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1 that is free, and handed out once among all tests of this user on this machine.
pub fn free_port() -> u16 {
    let offset = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let n = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset) % COUNT;
        let port = u16::try_from(FIRST + n).expect("below 20,000");
        if lock(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free")
}

/// Whether no other test has the port. Returns true, too, if the lock file can't be opened (another user's folder).
fn lock(port: u16) -> bool {
    let folder = std::env::temp_dir().join("reveal-queue-test-ports");
    drop(std::fs::create_dir_all(&folder));
    let Ok(file) = File::create(folder.join(port.to_string())) else { return true };
    let free = file.try_lock().is_ok();
    if free {
        TAKEN.lock().expect("no panic while it is locked").push(file);
    }
    free
}
