//! The open connections of a listener. When there are too many, the connection that has been longest without a whole
//! request is closed. A client that sends or reads slowly can't keep others out.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How many connections a listener holds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// From one public address without a whole request. Loopback and private addresses are a proxy's, and stand for many clients.
    pub per_address: usize,
}

/// The open connections of one listener; cheap to clone.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    limits: Limits,
    open: Mutex<Open>,
    /// Notified when a connection ends or waits for its next request.
    freed: Notify,
}

/// A place among the open connections; dropping it frees the place.
pub struct Connection {
    id: u64,
    /// Cancelled when this connection has to go.
    pub evicted: CancellationToken,
    shared: Arc<Shared>,
}

impl Connections {
    /// Starts with no connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (open, freed) = (Mutex::default(), Notify::new());
        Connections(Arc::new(Shared { limits, open, freed }))
    }

    /// Adds a connection. At the limit, it asks the connection that has been longest without a whole request to
    /// close. If every connection has a whole request, waits until one ends or is answered.
    pub async fn admit(&self, address: IpAddr) -> Arc<Connection> {
        loop {
            let freed = self.0.freed.notified();
            if let Some((id, evicted)) = self.0.open().admit(address, self.0.limits) {
                return Arc::new(Connection { id, evicted, shared: Arc::clone(&self.0) });
            }
            freed.await;
        }
    }
}

impl Connection {
    /// Marks a request as arrived whole: this connection stays until the request is answered.
    pub fn has_request(&self) {
        self.shared.open().has_request(self.id);
    }

    /// Marks the request as answered.
    pub fn answered(&self) {
        self.shared.open().answered(self.id);
        self.shared.freed.notify_one();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.open().ended(self.id);
        self.shared.freed.notify_one();
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule, without sockets.
#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Entry>,
    /// Connections without a whole request, by the tick at which their wait began.
    incomplete: BTreeMap<u64, u64>,
    /// How many incomplete connections each address has.
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// The connection's key in `incomplete`; `None` while a whole request is worked on.
    since: Option<u64>,
    evicted: CancellationToken,
}

impl Open {
    /// Takes a connection in. Returns `None` at the limit if every connection has a whole request.
    fn admit(&mut self, address: IpAddr, limits: Limits) -> Option<(u64, CancellationToken)> {
        let crowded = !is_proxy(address)
            && self.by_address.get(&address).is_some_and(|n| *n >= limits.per_address);
        if crowded {
            self.evict(|entry| entry.address == address);
        } else if self.connections.len() >= limits.total && !self.evict(|_| true) {
            return None;
        }
        let id = self.tick();
        let evicted = CancellationToken::new();
        self.connections.insert(id, Entry { address, since: None, evicted: evicted.clone() });
        self.answered(id);
        Some((id, evicted))
    }

    /// Asks the oldest incomplete connection that satisfies `may` to close. Returns whether there was one.
    fn evict(&mut self, may: impl Fn(&Entry) -> bool) -> bool {
        let mut ids = self.incomplete.values();
        let oldest = ids.find(|id| self.connections.get(id).is_some_and(&may)).copied();
        let Some(entry) = oldest.and_then(|id| self.ended(id)) else { return false };
        entry.evicted.cancel();
        true
    }

    fn has_request(&mut self, id: u64) {
        let Some(entry) = self.connections.get_mut(&id) else { return };
        let Some(since) = entry.since.take() else { return };
        let address = entry.address;
        self.incomplete.remove(&since);
        self.leave(address);
    }

    fn answered(&mut self, id: u64) {
        let now = self.tick();
        let Some(entry) = self.connections.get_mut(&id) else { return };
        if entry.since.is_none() {
            entry.since = Some(now);
            self.incomplete.insert(now, id);
            *self.by_address.entry(entry.address).or_default() += 1;
        }
    }

    fn ended(&mut self, id: u64) -> Option<Entry> {
        self.has_request(id);
        self.connections.remove(&id)
    }

    fn leave(&mut self, address: IpAddr) {
        if let Some(n) = self.by_address.get_mut(&address) {
            *n -= 1;
            if *n == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

fn is_proxy(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { total: 4, per_address: 2 };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    /// Takes in a connection for each of `addresses`.
    fn open(addresses: &[IpAddr]) -> (Open, Vec<(u64, CancellationToken)>) {
        let mut open = Open::default();
        let all = addresses.iter().map(|a| open.admit(*a, LIMITS).expect("room")).collect();
        (open, all)
    }

    fn gone(all: &[(u64, CancellationToken)]) -> Vec<bool> {
        all.iter().map(|(_, evicted)| evicted.is_cancelled()).collect()
    }

    #[test]
    fn at_the_limit_the_oldest_without_a_request_goes() {
        let (mut open, all) = open(&[1, 2, 3, 4].map(address));
        open.has_request(all[0].0);
        assert!(open.admit(address(5), LIMITS).is_some());
        assert_eq!(gone(&all), [false, true, false, false]);
        assert_eq!(open.connections.len(), 4);
    }

    #[test]
    fn an_answered_connection_is_the_newest_again() {
        let (mut open, all) = open(&[1, 2, 3, 4].map(address));
        open.has_request(all[0].0);
        open.answered(all[0].0);
        for n in 5..8 {
            assert!(open.admit(address(n), LIMITS).is_some());
        }
        assert_eq!(gone(&all), [false, true, true, true]);
    }

    #[test]
    fn none_is_taken_in_while_all_have_a_request() {
        let (mut open, all) = open(&[1, 2, 3, 4].map(address));
        for (id, _) in &all {
            open.has_request(*id);
        }
        assert!(open.admit(address(5), LIMITS).is_none());
        open.ended(all[2].0);
        assert!(open.admit(address(5), LIMITS).is_some());
        assert_eq!(gone(&all), [false; 4]);
    }

    #[test]
    fn one_public_address_takes_its_own_places_only() {
        let (mut open, all) = open(&[1, 2, 2].map(address));
        assert!(open.admit(address(2), LIMITS).is_some());
        assert_eq!(gone(&all), [false, true, false]);
        assert_eq!(open.connections.len(), 3);
    }

    #[test]
    fn a_proxy_stands_for_many() {
        for proxy in ["127.0.0.1", "10.1.2.3", "172.18.0.2", "::1", "fd00::1", "::ffff:127.0.0.1"] {
            let proxy: IpAddr = proxy.parse().expect("an address");
            let (_, all) = open(&[proxy; 4]);
            assert_eq!(gone(&all), [false; 4]);
        }
    }

    #[test]
    fn nothing_is_left_of_connections_that_ended() {
        let (mut open, all) = open(&[1, 2, 2, 3].map(address));
        open.has_request(all[1].0);
        for (id, _) in all {
            open.ended(id);
        }
        assert!(open.connections.is_empty() && open.incomplete.is_empty());
        assert!(open.by_address.is_empty());
    }
}
