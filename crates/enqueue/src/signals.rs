//! Signals that end a command early: Ctrl-C and SIGTERM. A command that catches them leaves the ledger in order.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Waits for a signal. Until this is polled for the first time, a signal ends the process at once.
pub async fn stopped() -> Stop {
    let listen = |kind| signal(kind).ok();
    let (interrupt, terminate) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    tokio::select! {
        () = received(interrupt) => Stop::Interrupt,
        () = received(terminate) => Stop::Terminate,
    }
}

async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
