//! Keyed hashes. Nothing else is kept of erased and suppressed people.

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

/// Hashes identifiers and numbers with SipHash-2-4, which is fast: a submit hashes every identifier of its file.
#[derive(Clone)]
pub(crate) struct HashKey(SipHasher24);

impl HashKey {
    /// Derives the key from a secret of this software.
    pub(crate) fn new(secret: &str) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(Sha256::digest(secret)).for_each(|(to, from)| *to = from);
        HashKey(SipHasher24::new_with_key(&key))
    }

    /// Hashes a text to 64 bits, which keeps the index small. With a million hashes kept and ten million people looked up, the
    /// chance of one false match is one in two million.
    pub(crate) fn hash(&self, text: &str) -> i64 {
        self.0.hash(text.as_bytes()).cast_signed()
    }

    /// Hashes a number in E.164 with the prefix `tel:`, which no identifier has.
    pub(crate) fn hash_phone(&self, e164: &str) -> i64 {
        self.hash(&format!("tel:{e164}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_stays_what_it_is() {
        // The ledger keeps hashes for good. If the hash of a text changed, erased people could be asked for again.
        assert_eq!(HashKey::new("a secret").hash("linkedin.com/in/ann"), EXPECTED);
        assert_ne!(HashKey::new("another").hash("linkedin.com/in/ann"), EXPECTED);
    }

    const EXPECTED: i64 = -6_059_439_171_513_298_809;
}
