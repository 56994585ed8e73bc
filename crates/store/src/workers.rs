//! The workers on this database, and their settings: keys, rates, a webhook URL.

use std::collections::BTreeMap;
use std::time::Duration;

use db::{Conn, json};
use jobs::{GateState, OffReason, Policy, Provider, Timestamp, WorkerId};

use crate::decode::parse_provider;
use crate::error::{Result, StoreError};
use crate::gates::gate::Gate;
use crate::gates::state;
use crate::store::Store;
use crate::topic::Topic;

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
    /// The provider.
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

/// Operations of the workers on this database.
#[derive(Clone, Copy)]
pub struct Workers<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of the workers on this database.
    #[must_use]
    pub fn workers(&self) -> Workers<'_> {
        Workers { store: self }
    }
}

impl Workers<'_> {
    /// Announces a worker, and notifies the gates of what it has: another key opens a gate that the old
    /// one closed, another webhook URL has to be proved again.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn register_worker(self, worker: NewWorker, policy: &Policy) -> Result<()> {
        let (now, timeout) = (self.store.now(), policy.heartbeat_timeout);
        let lacks: BTreeMap<&str, Option<&str>> = worker
            .providers
            .iter()
            .map(|setup| (setup.provider.as_str(), setup.lacks().map(OffReason::as_str)))
            .collect();
        let lacks = json(&lacks);
        self.store.db.write(move |conn| {
            Box::pin(async move {
                conn.execute(
                    "INSERT INTO workers (worker_id, host, pid, role, version, lacks, started_at, heartbeat_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                    &[
                        &worker.id.to_string(),
                        &worker.host,
                        &i64::from(worker.pid),
                        &worker.role,
                        &worker.version,
                        &lacks,
                        &now.0,
                    ],
                )
                .await?;
                if worker.role != "webhooks" {
                    for setup in &worker.providers {
                        notify_gate(conn, setup, now).await?;
                    }
                }
                for (provider, off) in what_is_off(conn, timeout, now).await? {
                    write_off(conn, provider, off).await?;
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
    pub async fn heartbeat(self, worker: WorkerId) -> Result<()> {
        let now = self.store.now();
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute(
                        "UPDATE workers SET heartbeat_at = $2 WHERE worker_id = $1",
                        &[&worker.to_string(), &now.0],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Returns the providers that the workers which ran last could use.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn providers_set_up(self) -> Result<Vec<Provider>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<(String,)> = conn.fetch_all(
            "SELECT provider FROM provider_gates WHERE key_fingerprint IS NOT NULL AND off_reason IS NULL",
            &[],
        )
        .await?;
        found.iter().map(|(provider,)| parse_provider(provider, 0)).collect()
    }

    /// Says that a worker has stopped.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn worker_stopped(self, worker: WorkerId) -> Result<()> {
        let now = self.store.now();
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute(
                    "UPDATE workers SET stopped_at = $2, heartbeat_at = $2 WHERE worker_id = $1",
                    &[&worker.to_string(), &now.0],
                )
                .await?;
                    Ok(())
                })
            })
            .await
    }
}

impl Workers<'_> {
    /// Notes which providers no running worker can use, as workers come and go. Rows that need such a provider show `held`.
    ///
    /// # Errors
    /// The database can't be used.
    pub(crate) async fn note_what_is_off(self, policy: &Policy) -> Result<()> {
        let (now, timeout) = (self.store.now(), policy.heartbeat_timeout);
        let mut conn = self.store.db.read().await?;
        let mut changed = Vec::new();
        for (provider, off) in what_is_off(&mut conn, timeout, now).await? {
            if Gate::read(&mut conn, provider).await?.off_reason != off {
                changed.push(provider);
            }
        }
        drop(conn);
        if changed.is_empty() {
            return Ok(());
        }
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    for (provider, off) in what_is_off(conn, timeout, now).await? {
                        if changed.contains(&provider) {
                            write_off(conn, provider, off).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }
}

impl ProviderSetup {
    /// The reason why a worker can't use the provider, if there is one.
    fn lacks(&self) -> Option<OffReason> {
        if self.key_fingerprint.is_none() {
            Some(OffReason::NoKey)
        } else if self.needs_webhook && self.webhook_url.is_none() {
            Some(OffReason::NoWebhookUrl)
        } else {
            None
        }
    }
}

/// Why no running worker can use each provider; `None` if one can. Providers that no running worker reports are left out.
async fn what_is_off(
    conn: &mut Conn,
    timeout: Duration,
    now: Timestamp,
) -> Result<Vec<(Provider, Option<OffReason>)>> {
    let alive: Vec<(String, String)> = conn
        .fetch_all(
            "SELECT worker_id, lacks FROM workers
             WHERE stopped_at IS NULL AND heartbeat_at >= $1 AND role <> 'webhooks'",
            &[&(now - timeout).0],
        )
        .await?;
    let mut by_provider: BTreeMap<&str, Vec<Option<OffReason>>> = BTreeMap::new();
    for (worker, lacks) in &alive {
        for (provider, lacks) in read_lacks(worker, lacks)? {
            by_provider.entry(provider.as_str()).or_default().push(lacks);
        }
    }
    let off = |(provider, lacks): (&str, Vec<Option<OffReason>>)| {
        let off = OffReason::of_all(lacks)?;
        Some(parse_provider(provider, 0).map(|provider| (provider, off)))
    };
    by_provider.into_iter().filter_map(off).collect()
}

fn read_lacks(worker: &str, text: &str) -> Result<BTreeMap<Provider, Option<OffReason>>> {
    let read: Option<BTreeMap<String, Option<String>>> = serde_json::from_str(text).ok();
    let word = |(provider, lacks): (String, Option<String>)| {
        let lacks = lacks.map(|word| word.parse()).transpose().ok()?;
        Some((provider.parse().ok()?, lacks))
    };
    read.and_then(|read| read.into_iter().map(word).collect()).ok_or_else(|| StoreError::Corrupt {
        table: "workers",
        column: "lacks",
        row: worker.to_owned(),
        value: text.to_owned(),
    })
}

async fn write_off(conn: &mut Conn, provider: Provider, off: Option<OffReason>) -> Result<()> {
    let gate = Gate::lock(conn, provider).await?;
    if gate.off_reason == off {
        return Ok(());
    }
    conn.execute(
        "UPDATE provider_gates SET off_reason = $2 WHERE provider = $1",
        &[&provider.as_str(), &off.map(OffReason::as_str)],
    )
    .await?;
    conn.announce(Topic::Queue);
    Ok(())
}

/// Notifies a gate of what a worker has for it: key, rate, webhook URL. A worker that can't use the provider changes
/// nothing.
async fn notify_gate(conn: &mut Conn, setup: &ProviderSetup, now: Timestamp) -> Result<()> {
    if setup.lacks().is_some() {
        return Ok(());
    }
    let provider = setup.provider;
    let gate = Gate::lock(conn, provider).await?;
    let new_key = gate.key_fingerprint != setup.key_fingerprint;
    let new_url = gate.canary_url != setup.webhook_url;
    conn.execute(
        "UPDATE provider_gates SET key_fingerprint = $2, rate_limit = $3, canary_url = $4,
            canary_proved_at = CASE WHEN $5 = 1 THEN NULL ELSE canary_proved_at END,
            canary_since = CASE WHEN $5 = 1 THEN $6 ELSE canary_since END,
            balance_due_at = $6, balance_step = 0
         WHERE provider = $1",
        &[
            &provider.as_str(),
            &setup.key_fingerprint,
            &setup.rate,
            &setup.webhook_url,
            &i64::from(new_url),
            &now.0,
        ],
    )
    .await?;
    // The refusal of an old key says nothing about a new one.
    if new_key && gate.key_fingerprint.is_some() && gate.breaker.state != GateState::Open {
        state::open(conn, provider).await?;
    }
    Ok(())
}
