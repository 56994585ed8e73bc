use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jobs::{CallId, Provider, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use url::Url;

/// A secret shorter than this could be guessed from one signature.
const SHORTEST: usize = 16;

/// Distinguishes these signatures from anything else that might be signed with the same secret.
const PURPOSE: &[u8] = b"reveal-queue webhook v1";

/// The path of a call's webhook address, as a router writes it. [`Signer::webhook_url`] fills it in.
pub const ROUTE: &str = "/webhooks/{provider}/{call_id}/{signature}";

/// A secret that is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret must have at least {SHORTEST} bytes")]
pub struct WeakSecret;

/// Signs the addresses to which providers send results, and distinguishes them from forged ones.
///
/// The providers sign nothing themselves, so the only proof is an address that only its receiver can have made. A
/// result may come long after its secret was replaced. So each secret verifies the calls that were made while it
/// signed, and no later ones: a leaked secret forges nothing new.
#[derive(Clone)]
pub struct Signer {
    signs: Hmac<Sha256>,
    verify: Vec<(Hmac<Sha256>, Option<Timestamp>)>,
}

/// A secret, and when it was made.
#[derive(Debug, Clone)]
pub struct DatedSecret {
    /// The secret.
    pub secret: SecretString,
    /// When it was made.
    pub made_at: Timestamp,
}

/// How long after its creation a new secret begins to sign. By then every process has read it, and accepts its signatures.
pub const TAKEN_UP: Duration = Duration::from_secs(60);
/// How much longer a replaced secret verifies new calls: clocks differ, and a process may have been frozen.
const OVERLAP: Duration = Duration::from_secs(600);

impl Signer {
    /// A signer with these secrets, the newest first.
    ///
    /// # Errors
    /// A secret of less than 16 bytes, or no secret.
    pub fn new(secrets: &[DatedSecret], now: Timestamp) -> Result<Self, WeakSecret> {
        let mut verify = Vec::with_capacity(secrets.len());
        let mut replaced_at = None;
        for DatedSecret { secret, made_at } in secrets {
            let until = replaced_at.map(|at: Timestamp| at + TAKEN_UP + OVERLAP);
            verify.push((keyed(secret)?, until));
            replaced_at = Some(*made_at);
        }
        let signs = secrets.iter().position(|one| one.made_at + TAKEN_UP <= now);
        let signs = verify.get(signs.unwrap_or(secrets.len().saturating_sub(1)));
        let signs = signs.map(|(secret, _)| secret.clone()).ok_or(WeakSecret)?;
        Ok(Signer { signs, verify })
    }

    /// The signature of a call's webhook address: HMAC-SHA256 in lower-case hexadecimal.
    #[must_use]
    pub fn sign(&self, provider: Provider, call_id: &str) -> String {
        hexadecimal(&tag(&self.signs, provider, call_id))
    }

    /// Whether one of the secrets made this signature. Takes the same time for every secret, and however much of a
    /// forged signature is right.
    #[must_use]
    pub fn verify(&self, provider: Provider, call_id: &str, signature: &str) -> bool {
        let made_at = call_id.parse().map(CallId::made_at).ok();
        let verified = self.verify.iter().fold(Choice::from(0), |verified, (secret, until)| {
            let expected = hexadecimal(&tag(secret, provider, call_id));
            let in_time = until.is_none_or(|until| made_at.is_some_and(|made| made <= until));
            let same = expected.as_bytes().ct_eq(signature.as_bytes());
            verified | (same & Choice::from(u8::from(in_time)))
        });
        verified.into()
    }

    /// Returns the address to which the provider sends this call's results:
    /// `{public_base}/webhooks/{provider}/{call_id}/{signature}`. The base may have a path.
    #[must_use]
    pub fn webhook_url(&self, public_base: &Url, provider: Provider, call_id: &str) -> String {
        let signature = self.sign(provider, call_id);
        let base = public_base.as_str();
        // A query or fragment can't come before a path.
        let base = base.split(['?', '#']).next().unwrap_or(base).trim_end_matches('/');
        format!("{base}/webhooks/{provider}/{call_id}/{signature}")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets, [redacted])", self.verify.len())
    }
}

fn keyed(secret: &SecretString) -> Result<Hmac<Sha256>, WeakSecret> {
    let secret = secret.expose_secret().as_bytes();
    if secret.len() < SHORTEST {
        return Err(WeakSecret);
    }
    Hmac::new_from_slice(secret).map_err(|_| WeakSecret)
}

/// Computes the tag of a call. Each part follows its length, so that no two pairs give the same text.
fn tag(keyed: &Hmac<Sha256>, provider: Provider, call_id: &str) -> [u8; 32] {
    let mut mac = keyed.clone();
    for part in [PURPOSE, provider.as_str().as_bytes(), call_id.as_bytes()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).collect()
}
