use std::time::Duration;

use crate::Timestamp;

/// The most bodies that one address accepts. A call has one result, sent again while a 200 is lost, and few partial ones.
pub const MOST_BODIES: i64 = 100;
/// The most bytes of bodies that are kept for one address: four of the largest.
pub const MOST_BYTES: i64 = 16 * 1024 * 1024;
/// Bodies up to this size are accepted beyond [`MOST_BYTES`], so that large bodies keep no result out.
pub const USUAL_BYTES: usize = 256 * 1024;
/// How long an address accepts bodies after all people of its call have their results. Providers send bodies that were
/// not answered with 200 again, and correct themselves, within hours.
pub const ADDRESS_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What an address has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressUse {
    /// Bodies.
    pub bodies: i64,
    /// Bytes of the bodies that are kept.
    pub bytes: i64,
    /// When the last person of the call got a result; `None` while a result is out.
    pub settled_at: Option<Timestamp>,
}

/// Whether an address accepts another body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// The address accepts it.
    Open,
    /// The address has received more than a provider has to say.
    Full,
    /// The call of the address was settled long ago.
    Ended,
}

impl AddressUse {
    /// Whether the address accepts a body of this many bytes.
    #[must_use]
    pub fn takes(&self, bytes: usize, now: Timestamp) -> Reception {
        if self.settled_at.is_some_and(|at| now.since(at) > ADDRESS_LIFE) {
            return Reception::Ended;
        }
        let fits = self.bytes.saturating_add_unsigned(bytes as u64) <= MOST_BYTES;
        match self.bodies < MOST_BODIES && (fits || bytes <= USUAL_BYTES) {
            true => Reception::Open,
            false => Reception::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(2_000_000_000_000);

    #[test]
    fn an_address_takes_what_a_provider_may_have_to_say() {
        let hour = Duration::from_secs(3600);
        let (fresh, late, over) = (Some(NOW), Some(NOW - 167 * hour), Some(NOW - 169 * hour));
        for (bodies, bytes, settled_at, size, want) in [
            (0, 0, None, 4 << 20, Reception::Open),
            (99, 0, None, 1, Reception::Open),
            (100, 0, None, 1, Reception::Full),
            (3, 12 << 20, None, 4 << 20, Reception::Open),
            (4, 12 << 20, None, (4 << 20) + 1, Reception::Full),
            (4, 16 << 20, None, 100 << 10, Reception::Open),
            (1, 10, fresh, 10, Reception::Open),
            (1, 10, late, 10, Reception::Open),
            (1, 10, over, 10, Reception::Ended),
            // However long the result is out, it is accepted: it is paid for.
            (1, 10, None, 10, Reception::Open),
        ] {
            let used = AddressUse { bodies, bytes, settled_at };
            assert_eq!(used.takes(size, NOW), want, "{used:?} {size}");
        }
    }
}
