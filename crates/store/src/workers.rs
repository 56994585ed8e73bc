//! Who works on this database, and what they bring along: keys, rates, a webhook URL.

use jobs::{Policy, Provider, Timestamp, WorkerId};

use crate::conn::{Conn, exec, row};
use crate::gate::{self, Gate};
use crate::totals::json;
use crate::{Result, Store, Topic};

/// A worker that starts.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// Unique for each start.
    pub id: WorkerId,
    /// Its machine.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// `all`, `jobs` or `webhooks`.
    pub role: String,
    /// The program's version.
    pub version: String,
    /// What it can use of each provider.
    pub providers: Vec<ProviderSetup>,
}

/// What a worker knows of a provider.
#[derive(Debug, Clone)]
pub struct ProviderSetup {
    /// Which.
    pub provider: Provider,
    /// A hash of the key; `None` without a key.
    pub key_fingerprint: Option<String>,
    /// A hash of the webhook URL; `None` without one.
    pub webhook_url: Option<String>,
    /// Whether nothing can be asked without a webhook URL.
    pub needs_webhook: bool,
    /// The user's limit, requests a second.
    pub rate: f64,
}

impl Store {
    /// Announces a worker, and tells the gates what it brings: another key opens a gate that the old
    /// one closed, another webhook URL has to be proved anew.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn register_worker(&self, worker: NewWorker, policy: &Policy) -> Result<()> {
        let (now, policy) = (self.now(), policy.clone());
        self.write(move |conn| {
            Box::pin(async move {
                let usable: Vec<Provider> =
                    worker.providers.iter().filter(|s| s.off_reason().is_none()).map(|s| s.provider).collect();
                exec!(
                    conn,
                    "INSERT INTO workers (worker_id, host, pid, role, version, providers, started_at, heartbeat_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                    worker.id.to_string(),
                    worker.host,
                    i64::from(worker.pid),
                    worker.role.clone(),
                    worker.version,
                    json(&usable),
                    now.0,
                )?;
                if worker.role != "webhooks" {
                    for setup in &worker.providers {
                        tell_gate(conn, worker.id, setup, &policy, now).await?;
                    }
                }
                conn.announce(Topic::Queue);
                Ok(())
            })
        })
        .await
    }

    /// Says that a worker is alive.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn heartbeat(&self, worker: WorkerId) -> Result<()> {
        let now = self.now();
        self.write(move |conn| {
            Box::pin(async move {
                exec!(
                    conn,
                    "UPDATE workers SET heartbeat_at = $2 WHERE worker_id = $1",
                    worker.to_string(),
                    now.0,
                )?;
                Ok(())
            })
        })
        .await
    }

    /// Says that a worker has stopped.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn worker_stopped(&self, worker: WorkerId) -> Result<()> {
        let now = self.now();
        self.write(move |conn| {
            Box::pin(async move {
                exec!(
                    conn,
                    "UPDATE workers SET stopped_at = $2, heartbeat_at = $2 WHERE worker_id = $1",
                    worker.to_string(),
                    now.0,
                )?;
                Ok(())
            })
        })
        .await
    }
}

impl ProviderSetup {
    fn off_reason(&self) -> Option<&'static str> {
        if self.key_fingerprint.is_none() {
            Some("no_key")
        } else if self.needs_webhook && self.webhook_url.is_none() {
            Some("no_webhook_url")
        } else {
            None
        }
    }
}

async fn tell_gate(
    conn: &mut Conn,
    worker: WorkerId,
    setup: &ProviderSetup,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let provider = setup.provider;
    let gate = Gate::lock(conn, provider).await?;
    if let Some(reason) = setup.off_reason() {
        // Another worker that is alive may well be able to.
        let able: Option<(String,)> = row!(
            conn,
            "SELECT worker_id FROM workers WHERE worker_id <> $1 AND stopped_at IS NULL AND heartbeat_at >= $2
             AND role <> 'webhooks' AND providers LIKE '%\"' || $3 || '\"%' LIMIT 1",
            worker.to_string(),
            (now - policy.heartbeat_timeout).0,
            provider.as_str(),
        )?;
        if able.is_none() {
            exec!(
                conn,
                "UPDATE provider_gates SET off_reason = $2, rate_limit = $3 WHERE provider = $1",
                provider.as_str(),
                reason,
                setup.rate,
            )?;
        }
        return Ok(());
    }
    let new_key = gate.key_fingerprint != setup.key_fingerprint;
    let new_url = gate.canary_url != setup.webhook_url;
    exec!(
        conn,
        "UPDATE provider_gates SET off_reason = NULL, key_fingerprint = $2, rate_limit = $3, canary_url = $4,
            canary_proved_at = CASE WHEN $5 = 1 THEN NULL ELSE canary_proved_at END,
            balance_due_at = $6, balance_step = 0
         WHERE provider = $1",
        provider.as_str(),
        setup.key_fingerprint.clone(),
        setup.rate,
        setup.webhook_url.clone(),
        i64::from(new_url),
        now.0,
    )?;
    // What an old key was refused for says nothing about a new one.
    if new_key && gate.key_fingerprint.is_some() && gate.state != "open" {
        gate::open(conn, provider).await?;
    }
    Ok(())
}
