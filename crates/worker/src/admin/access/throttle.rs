//! How fast tokens can be tried: a few wrong ones at once from an address, then one every few seconds. Further tries
//! are refused before they are compared with any token, so that trying faster, or not waiting for the answer, gains
//! nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobs::Timestamp;

/// Wrong tokens that an address may try at once.
pub const AT_ONCE: i64 = 10;
/// How long after them an address may try one more.
pub const EVERY: Duration = Duration::from_secs(5);
const EVERY_MS: i64 = EVERY.as_millis() as i64;
/// Addresses that are counted separately; all further ones are counted together.
const MOST: usize = 10_000;

/// From where a token is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// An IPv4 address, or the network of an IPv6 address: one machine may have all addresses of its network.
    Known(IpAddr),
    /// All addresses that are not counted separately.
    Other,
}

impl Source {
    /// Returns the source under which tries from an address are counted.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => {
                let network = u128::from(address) >> 64 << 64;
                Source::Known(IpAddr::V6(network.into()))
            }
            Some(address) => Source::Known(address),
            None => Source::Other,
        }
    }
}

/// Recent wrong tries, by source.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<Source, Timestamp>>);

impl Throttle {
    /// Takes one try from what an address has left.
    ///
    /// # Errors
    /// No try is left. Returns how long until there is one.
    pub(crate) fn take(&self, source: Source, now: Timestamp) -> Result<(), Duration> {
        let mut tries = self.lock();
        let source = place(&mut tries, source, now);
        let paid = tries.get(&source).copied().unwrap_or(now);
        // A clock that was set back must not shut out an address for longer than its tries last.
        let paid = paid.clamp(now, now + EVERY * AT_ONCE as u32);
        let ahead = paid.millis() - now.millis();
        let most = (AT_ONCE - 1) * EVERY_MS;
        if ahead > most {
            return Err(Duration::from_millis((ahead - most).unsigned_abs()));
        }
        tries.insert(source, paid + EVERY);
        Ok(())
    }

    /// Gives a try back: the token was right.
    pub(crate) fn give_back(&self, source: Source, now: Timestamp) {
        let mut tries = self.lock();
        let source = place(&mut tries, source, now);
        if let Some(paid) = tries.get_mut(&source) {
            *paid = *paid - EVERY;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(tries: &mut HashMap<Source, Timestamp>, source: Source, now: Timestamp) -> Source {
    if tries.contains_key(&source) {
        return source;
    }
    if tries.len() >= MOST {
        tries.retain(|_, paid| now < *paid);
    }
    if tries.len() < MOST { source } else { Source::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> Source {
        Source::of(Some(IpAddr::from([192, 0, 2, last])))
    }

    #[test]
    fn tries_run_out_and_come_back_one_by_one() {
        let (throttle, start) = (Throttle::default(), Timestamp(1_000_000));
        for _ in 0..AT_ONCE {
            assert_eq!(throttle.take(at(1), start), Ok(()));
        }
        assert_eq!(throttle.take(at(1), start), Err(EVERY));
        assert_eq!(throttle.take(at(2), start), Ok(()), "another address has its own");
        assert_eq!(throttle.take(at(1), start + EVERY), Ok(()));
        assert_eq!(throttle.take(at(1), start + EVERY), Err(EVERY));
    }

    #[test]
    fn a_right_token_costs_nothing() {
        let (throttle, now) = (Throttle::default(), Timestamp(0));
        for _ in 0..5 * AT_ONCE {
            assert_eq!(throttle.take(at(1), now), Ok(()));
            throttle.give_back(at(1), now);
        }
    }

    #[test]
    fn a_clock_set_back_shuts_no_address_out_for_long() {
        let (throttle, late) = (Throttle::default(), Timestamp(1_000_000_000));
        for _ in 0..AT_ONCE {
            throttle.take(at(1), late).unwrap();
        }
        assert_eq!(throttle.take(at(1), Timestamp(0)), Err(EVERY));
    }

    #[test]
    fn a_network_of_version_6_is_one_source() {
        let v6 = |text: &str| Source::of(Some(text.parse().unwrap()));
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:2"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:192.0.2.1"), at(1));
    }

    #[test]
    fn many_addresses_are_distinguished_and_the_rest_share_a_place() {
        let (throttle, now) = (Throttle::default(), Timestamp(0));
        for n in 0..2 * MOST as u32 {
            let _ = throttle.take(Source::of(Some(IpAddr::from(n.to_be_bytes()))), now);
        }
        assert!(throttle.lock().len() <= MOST + 1);
        assert!(throttle.take(Source::Other, now).is_err());
    }
}
