//! Keyed hashes, which are all that is kept of erased and suppressed people.

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

/// Turns identifiers and numbers into hashes: by SipHash-2-4, since a submit hashes every identifier of its file.
#[derive(Clone)]
pub(crate) struct HashKey(SipHasher24);

impl HashKey {
    /// The key that a secret of this software stands for.
    pub(crate) fn new(secret: &str) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(Sha256::digest(secret)).for_each(|(to, from)| *to = from);
        HashKey(SipHasher24::new_with_key(&key))
    }

    /// 64 bits make an index small: with a million hashes kept and ten million people looked up, the chance of one false match
    /// is one in two million.
    pub(crate) fn hash(&self, text: &str) -> i64 {
        self.0.hash(text.as_bytes()).cast_signed()
    }

    /// The hash of a number in E.164. No identifier begins like that.
    pub(crate) fn hash_phone(&self, e164: &str) -> i64 {
        self.hash(&format!("tel:{e164}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_stays_what_it_is() {
        // The ledger keeps hashes for good: another one would let erased people be asked for.
        assert_eq!(HashKey::new("a secret").hash("linkedin.com/in/ann"), EXPECTED);
        assert_ne!(HashKey::new("another").hash("linkedin.com/in/ann"), EXPECTED);
    }

    const EXPECTED: i64 = -6_059_439_171_513_298_809;
}
