//! From settings to the parts that the jobs need: keys, clients, signatures. In the sandbox these are made up.

use ::jobs::{OceanPlan, Provider, WorkerId};
use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use providers::{clodura, ocean};
use sandbox::Sandbox;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use store::{NewWorker, ProviderSetup, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::{App, Inner, Limits};
use crate::config::Config;
use crate::error::StartError;
use crate::signing::Signing;
use crate::supervise::Supervisor;

/// Where the providers are, and with which keys they are asked.
pub(crate) struct Accounts {
    pub(crate) ocean_key: Option<SecretString>,
    pub(crate) ocean_base: Url,
    pub(crate) clodura_key: Option<SecretString>,
    pub(crate) clodura_base: Url,
}

impl Accounts {
    /// The user's accounts, or the sandbox's if there is one.
    pub(crate) fn new(config: &Config, sandbox: Option<&Sandbox>) -> Result<Self, StartError> {
        let Some(sandbox) = sandbox else {
            return Ok(Accounts {
                ocean_key: config.ocean_key(),
                ocean_base: config.ocean_base_url.clone(),
                clodura_key: config.clodura_key(),
                clodura_base: config.clodura_base_url.clone(),
            });
        };
        let made_up = Some(SecretString::from("sandbox"));
        let base: Url = sandbox.base_url().parse().context("the sandbox's address")?;
        Ok(Accounts {
            ocean_key: made_up.clone(),
            ocean_base: base.clone(),
            clodura_key: made_up,
            clodura_base: base,
        })
    }

    /// Ocean's client, where there is a key.
    pub(crate) fn ocean(
        &self,
        http: &reqwest::Client,
        plan: OceanPlan,
    ) -> Result<Option<ocean::Client>, StartError> {
        let Some(key) = self.ocean_key.clone() else { return Ok(None) };
        let client = ocean::Client::new(self.ocean_base.clone(), key, http.clone());
        let client = client.map(|client| Some(client.with_plan(plan)));
        client.map_err(|error| StartError::Usage(format!("Ocean: {error}")))
    }

    /// Clodura's client, where there is a key.
    pub(crate) fn clodura(
        &self,
        http: &reqwest::Client,
    ) -> Result<Option<clodura::Client>, StartError> {
        let Some(key) = self.clodura_key.clone() else { return Ok(None) };
        let client = clodura::Client::new(self.clodura_base.clone(), key, http.clone());
        client.map(Some).map_err(|error| StartError::Usage(format!("Clodura: {error}")))
    }
}

/// Puts an application together and announces it to the ledger as a worker.
pub(crate) async fn worker(
    worker: WorkerId,
    config: &Config,
    store: Store,
    sandbox: Option<&Sandbox>,
    listener: Option<&TcpListener>,
) -> Result<App, StartError> {
    let http = providers::http::client(config.request_timeout).context("no HTTP client")?;
    let accounts = Accounts::new(config, sandbox)?;
    let app = App::new(Inner {
        worker,
        policy: config.policy(),
        ocean: accounts.ocean(&http, config.ocean_plan)?,
        clodura: accounts.clodura(&http)?,
        limits: limits(config),
        signing: Signing::of(&store).await?,
        store,
        public_url: public_url(config, sandbox, listener)?,
        supervisor: Supervisor::default(),
        stopping: CancellationToken::new(),
    });
    let fingerprints = Fingerprints(app.store.settings().fingerprint_key().await?);
    let worker = introduction(&app, config, &accounts, &fingerprints);
    app.store.workers().register_worker(worker, &app.policy).await?;
    Ok(app)
}

/// An application that can receive webhooks and do nothing else: it has no key, and the ledger
/// doesn't know it.
pub(crate) async fn receiver(config: &Config, store: Store) -> Result<App, StartError> {
    Ok(App::new(Inner {
        worker: WorkerId::generate(),
        policy: config.policy(),
        ocean: None,
        clodura: None,
        limits: limits(config),
        signing: Signing::of(&store).await?,
        store,
        public_url: None,
        supervisor: Supervisor::default(),
        stopping: CancellationToken::new(),
    }))
}

/// How providers reach the webhook listener. The sandbox runs in this process and reaches the listener directly.
pub(crate) fn public_url(
    config: &Config,
    sandbox: Option<&Sandbox>,
    listener: Option<&TcpListener>,
) -> Result<Option<Url>, StartError> {
    let Some(listener) = sandbox.and(listener) else {
        return Ok(config.webhook_public_url.clone());
    };
    let addr = listener.local_addr().context("the listener has no address")?;
    Ok(Some(format!("http://{addr}").parse().context("the listener's address")?))
}

fn limits(config: &Config) -> Limits {
    Limits {
        ocean_rate: config.ocean_rate,
        clodura_rate: config.clodura_rate,
        ocean_in_flight: usize::from(config.ocean_max_in_flight),
        clodura_in_flight: usize::from(config.clodura_max_in_flight),
        ocean_people: usize::from(config.ocean_batch_size),
        ocean_price: config.ocean_plan.per_person(config.ocean_credits_per_person),
        clodura_price: config.clodura_credits_per_person,
        canary: config.webhook_canary,
        clodura_partners: config.clodura_partners,
    }
}

fn introduction(
    app: &App,
    config: &Config,
    accounts: &Accounts,
    fingerprints: &Fingerprints,
) -> NewWorker {
    let webhook_url = app.public_url.as_ref().and_then(|url| fingerprints.of(url.as_str()));
    let setup = |provider, key: Option<&SecretString>| ProviderSetup {
        provider,
        key_fingerprint: key.and_then(|key| fingerprints.of(key.expose_secret())),
        webhook_url: webhook_url.clone(),
        needs_webhook: provider == Provider::Ocean,
        rate: app.rate(provider),
    };
    NewWorker {
        id: app.worker,
        host: host(),
        pid: std::process::id(),
        role: config.role.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        providers: vec![
            setup(Provider::Ocean, accounts.ocean_key.as_ref()),
            setup(Provider::Clodura, accounts.clodura_key.as_ref()),
        ],
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".into(), |name| name.trim().to_owned())
}

/// Fingerprints that distinguish keys without revealing them: hashes under a secret of this ledger. So those of two
/// ledgers can't be compared, and a key can't be guessed from one without that secret.
struct Fingerprints(String);

impl Fingerprints {
    fn of(&self, text: &str) -> Option<String> {
        // HMAC takes a key of any length, so this is never `None`.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        mac.update(text.as_bytes());
        let tag = mac.finalize().into_bytes();
        Some(tag.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprints;

    #[test]
    fn a_fingerprint_is_of_its_ledger() {
        let (one, other) = (Fingerprints("one".into()), Fingerprints("other".into()));
        assert_eq!(one.of("key"), one.of("key"));
        assert_ne!(one.of("key"), one.of("another key"));
        assert_ne!(one.of("key"), other.of("key"));
        assert!(one.of("key").is_some_and(|tag| tag.len() == 16));
    }
}
