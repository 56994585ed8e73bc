use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use jobs::Provider;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use url::Url;

/// A secret shorter than this could be guessed from one signature.
const SHORTEST: usize = 16;

/// Sets these signatures apart from anything else that might be signed with the same secret.
const PURPOSE: &[u8] = b"reveal-queue webhook v1";

/// A secret that is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret must have at least {SHORTEST} bytes")]
pub struct WeakSecret;

/// Signs the addresses to which providers send results, and tells them from forged ones.
///
/// The providers sign nothing themselves, so an address that only its receiver can have made is
/// all the proof there is. The newest secret signs; all of them verify, because a result may come
/// long after its secret was replaced.
#[derive(Clone)]
pub struct Signer {
    newest: Hmac<Sha256>,
    older: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// A signer with the `newest` secret that still takes what the `older` ones have signed.
    ///
    /// # Errors
    /// A secret of less than 16 bytes.
    pub fn new(newest: &SecretString, older: &[SecretString]) -> Result<Self, WeakSecret> {
        let older = older.iter().map(keyed).collect::<Result<_, _>>()?;
        Ok(Signer { newest: keyed(newest)?, older })
    }

    /// The signature of a call's webhook address: HMAC-SHA256 in lower-case hexadecimal.
    #[must_use]
    pub fn sign(&self, provider: Provider, call_id: &str) -> String {
        hexadecimal(&tag(&self.newest, provider, call_id))
    }

    /// Whether one of the secrets made this signature. Takes the same time whichever it was and
    /// however much of a forged one is right.
    #[must_use]
    pub fn verify(&self, provider: Provider, call_id: &str, signature: &str) -> bool {
        let secrets = std::iter::once(&self.newest).chain(&self.older);
        let verified = secrets.fold(Choice::from(0), |verified, secret| {
            let expected = hexadecimal(&tag(secret, provider, call_id));
            verified | expected.as_bytes().ct_eq(signature.as_bytes())
        });
        verified.into()
    }

    /// Where the provider sends this call's results:
    /// `{public_base}/webhooks/{provider}/{call_id}/{signature}`. The base may have a path.
    #[must_use]
    pub fn webhook_url(&self, public_base: &Url, provider: Provider, call_id: &str) -> String {
        let signature = self.sign(provider, call_id);
        let base = public_base.as_str();
        // A query or fragment can't stand before a path.
        let base = base.split(['?', '#']).next().unwrap_or(base).trim_end_matches('/');
        format!("{base}/webhooks/{provider}/{call_id}/{signature}")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets, [redacted])", 1 + self.older.len())
    }
}

fn keyed(secret: &SecretString) -> Result<Hmac<Sha256>, WeakSecret> {
    let secret = secret.expose_secret().as_bytes();
    if secret.len() < SHORTEST {
        return Err(WeakSecret);
    }
    Hmac::new_from_slice(secret).map_err(|_| WeakSecret)
}

/// Each part goes in behind its length, so that no two pairs give the same text.
fn tag(keyed: &Hmac<Sha256>, provider: Provider, call_id: &str) -> [u8; 32] {
    let mut mac = keyed.clone();
    for part in [PURPOSE, provider.as_str().as_bytes(), call_id.as_bytes()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
