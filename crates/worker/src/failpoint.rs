//! Crashes on order, for tests: at each boundary between two durable steps, `FAILPOINT` makes a
//! debug build die there, or stop until it is sent SIGCONT. Release builds hold none of this.
//!
//! | `FAILPOINT` | it happens |
//! | --- | --- |
//! | `written_sending` | a call is written down; nothing of it was sent |
//! | `request_left` | a request was sent whole; what is answered is not looked at |
//! | `answer_read` | the provider's answer is known; nothing of it was written down |
//! | `answer_written` | it was written down |
//! | `inbox_stored` | a webhook is stored; its sender was not told |
//! | `applied` | results were applied |
//!
//! `FAILPOINT=applied:stop` stops there once, as a suspended machine would.

use std::future::Future;

/// A boundary was reached.
#[cfg(not(debug_assertions))]
pub fn reached(_name: &str) {}

/// Runs a request that has a boundary within: `request_left`.
#[cfg(not(debug_assertions))]
pub async fn in_request<T>(request: impl Future<Output = T>) -> T {
    request.await
}

/// Runs a request that has a boundary within: `request_left`.
#[cfg(debug_assertions)]
pub async fn in_request<T>(request: impl Future<Output = T>) -> T {
    if !std::env::var("FAILPOINT").is_ok_and(|wanted| wanted.starts_with("request_left")) {
        return request.await;
    }
    let (left, has_left) = tokio::sync::oneshot::channel();
    let mut request = std::pin::pin!(providers::body::watched(request, left));
    tokio::select! {
        biased;
        Ok(()) = has_left => {
            // The connection has taken the last of it; it is on the wire before this is over.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            reached("request_left");
            request.await
        }
        // It never left.
        answer = &mut request => answer,
    }
}

/// A boundary was reached.
#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    use std::sync::atomic::{AtomicBool, Ordering};
    static STOPPED: AtomicBool = AtomicBool::new(false);

    let Ok(wanted) = std::env::var("FAILPOINT") else { return };
    if wanted == name {
        eprintln!("failpoint {name}: the process dies");
        std::process::abort();
    }
    let stops = wanted.strip_suffix(":stop").is_some_and(|wanted| wanted == name);
    if stops && !STOPPED.swap(true, Ordering::Relaxed) {
        eprintln!("failpoint {name}: the process stops");
        let pid = std::process::id().to_string();
        // Returns once somebody has sent SIGCONT.
        let _ = std::process::Command::new("sh").args(["-c", "kill -STOP \"$0\"", &pid]).status();
        // The signal is one thread's to take before it stops the others, this one among them.
        #[expect(
            clippy::disallowed_methods,
            reason = "a debug build that was asked to stand still"
        )]
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}
