//! The current keys of webhook addresses: a new key is taken up while the process runs.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use jobs::Provider;
use providers::Signer;
use providers::signature::DatedSecret;
use secrecy::SecretString;
use store::Store;
use url::Url;

/// Signs webhook addresses and verifies them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Signing(Arc<RwLock<Signer>>);

impl Signing {
    /// Uses these keys until [`Signing::refresh`].
    #[must_use]
    pub fn with(signer: Signer) -> Self {
        Signing(Arc::new(RwLock::new(signer)))
    }

    /// Uses the keys of a ledger.
    ///
    /// # Errors
    /// The database can't be used, or holds no usable key.
    pub async fn of(store: &Store) -> anyhow::Result<Self> {
        signer(store).await.map(Signing::with)
    }

    /// Takes up a key that was made since the last read.
    ///
    /// # Errors
    /// The database can't be used; the keys stay as they were.
    pub async fn refresh(&self, store: &Store) -> anyhow::Result<()> {
        let signer = signer(store).await?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = signer;
        Ok(())
    }

    /// See [`Signer::sign`].
    #[must_use]
    pub fn sign(&self, provider: Provider, call_id: &str) -> String {
        self.current().sign(provider, call_id)
    }

    /// See [`Signer::verify`].
    #[must_use]
    pub fn verify(&self, provider: Provider, call_id: &str, signature: &str) -> bool {
        self.current().verify(provider, call_id, signature)
    }

    /// See [`Signer::webhook_url`].
    #[must_use]
    pub fn webhook_url(&self, public_base: &Url, provider: Provider, call_id: &str) -> String {
        self.current().webhook_url(public_base, provider, call_id)
    }

    fn current(&self) -> std::sync::RwLockReadGuard<'_, Signer> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn signer(store: &Store) -> anyhow::Result<Signer> {
    let dated = |(secret, made_at)| DatedSecret { secret: SecretString::from(secret), made_at };
    let secrets: Vec<_> =
        store.settings().webhook_secrets().await?.into_iter().map(dated).collect();
    Signer::new(&secrets, store.now()).context("the webhook secret can't be used")
}
