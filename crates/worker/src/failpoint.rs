//! Crashes on order, for tests: at each boundary between two durable steps, `FAILPOINT` makes a
//! debug build die there, or stop until it is sent SIGCONT. Release builds hold none of this.
//!
//! | `FAILPOINT` | reached when |
//! | --- | --- |
//! | `written_sending` | a call is written down; nothing of it was sent |
//! | `request_left` | a request was sent whole; its answer is not looked at |
//! | `answer_read` | the provider's answer is known; nothing of it was written down |
//! | `answer_written` | it was written down |
//! | `inbox_stored` | a webhook is stored; its sender has no answer yet |
//! | `applied` | results were applied |
//!
//! `FAILPOINT=applied:stop` stops there once, as a suspended machine would.

use std::future::Future;

/// Marks a boundary.
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
            // The connection has taken the last byte of the request, which is on the wire before this sleep ends.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            reached("request_left");
            request.await
        }
        // The request never left.
        answer = &mut request => answer,
    }
}

/// Marks a boundary.
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
        // Returns once the process gets SIGCONT.
        let _ = std::process::Command::new("sh").args(["-c", "kill -STOP \"$0\"", &pid]).status();
        // One thread takes the signal before the signal stops the other threads, this one among them.
        #[expect(clippy::disallowed_methods, reason = "a debug build that was asked to stop")]
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}
