//! The sockets a worker listens on: its own, or one that the service manager holds for it, so that
//! no webhook is refused while the worker is restarted.

use std::io;
use std::net::SocketAddr;

use anyhow::Context;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};

use crate::error::StartError;

/// Connections that may wait to be accepted, if the system allows this many: a burst of clients must not make a real
/// one wait a second for its next try.
const BACKLOG: u32 = 4096;

/// A socket that the parent process handed over.
pub struct Inherited(io::Result<Option<std::net::TcpListener>>);

impl Inherited {
    /// Takes the first socket that `LISTEN_FDS` announces. This changes the environment, so call it before there are
    /// threads.
    #[must_use]
    pub fn take() -> Self {
        Inherited(ListenFd::from_env().take_tcp_listener(0))
    }
}

/// The webhook listener: the inherited socket if there is one, else one of our own on `addr`.
///
/// # Errors
/// The inherited file is no TCP socket, or the address can't be used.
pub async fn webhooks(inherited: Inherited, addr: SocketAddr) -> Result<TcpListener, StartError> {
    let inherited = inherited.0.map_err(|error| {
        StartError::Usage(format!("LISTEN_FDS: {error}; pass one listening TCP socket"))
    })?;
    let Some(socket) = inherited else { return bind(addr, "LISTEN_ADDR").await };
    socket.set_nonblocking(true).context("can't use the socket that was passed")?;
    Ok(TcpListener::from_std(socket).context("can't use the socket that was passed")?)
}

/// A listener of our own; `name` is the variable that sets its address.
///
/// # Errors
/// The address is taken or not this machine's.
pub async fn bind(addr: SocketAddr, name: &str) -> Result<TcpListener, StartError> {
    Ok(listen_on(addr).with_context(|| {
        format!("can't listen on {addr}; set {name} to a free address, or stop what uses it")
    })?)
}

fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Notifies the service manager, if there is one, that this process now serves.
pub fn say_ready() {
    say(sd_notify::NotifyState::Ready);
}

/// Notifies the service manager, if there is one, that this process is about to end.
pub fn say_stopping() {
    say(sd_notify::NotifyState::Stopping);
}

fn say(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager can't be notified of this worker's state");
    }
}
