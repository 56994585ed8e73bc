//! What every job needs: the ledger, the providers, the settings.

use std::future::Future;
use std::sync::Arc;

use jobs::{PerPerson, Policy, Provider, Rate, WorkerId};
use providers::{clodura, ocean};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::metrics::Metrics;
use crate::retry_write::{Patience, retry_write};
use crate::routine::Routine;
use crate::signing::Signing;
use crate::supervise::Supervisor;

/// Shared by all jobs of a process; cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    metrics: Metrics,
    routine: Routine,
}

/// See [`App`].
pub struct Inner {
    /// This start of this process.
    pub worker: WorkerId,
    /// The ledger.
    pub store: Store,
    /// The durations and limits by which the queue is processed.
    pub policy: Policy,
    /// Ocean, where there is a key for it.
    pub ocean: Option<ocean::Client>,
    /// Clodura, where there is a key for it.
    pub clodura: Option<clodura::Client>,
    /// Settings of each provider.
    pub limits: Limits,
    /// Signs webhook URLs, and verifies them.
    pub signing: Signing,
    /// How providers reach the webhook listener.
    pub public_url: Option<Url>,
    /// Watches the tasks that must run as long as the process does.
    pub supervisor: Supervisor,
    /// Set when the process is to stop: nothing new is taken.
    pub stopping: CancellationToken,
}

/// Limits that the user set.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most requests to Ocean, over all workers.
    pub ocean_rate: Rate,
    /// The same for Clodura.
    pub clodura_rate: Rate,
    /// Most open requests to Ocean in this process.
    pub ocean_in_flight: usize,
    /// The same for Clodura.
    pub clodura_in_flight: usize,
    /// Most people in one Ocean request.
    pub ocean_people: usize,
    /// Credits reserved for each person at Ocean.
    pub ocean_price: PerPerson,
    /// The same for Clodura.
    pub clodura_price: PerPerson,
    /// Most people out until a webhook has proved the webhook URL.
    pub canary: usize,
    /// Whether Clodura may ask its partners.
    pub clodura_partners: bool,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl App {
    /// Puts the application together.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        let metrics = Metrics::new(inner.store.now());
        App { inner: Arc::new(inner), metrics, routine: Routine::default() }
    }

    /// What this process counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the counters of requests and results that went well without a log line of their own.
    #[must_use]
    pub fn routine(&self) -> &Routine {
        &self.routine
    }

    /// Requests a second that the user allows at `provider`.
    #[must_use]
    pub fn rate(&self, provider: Provider) -> f64 {
        match provider {
            Provider::Ocean => self.limits.ocean_rate.get(),
            Provider::Clodura => self.limits.clodura_rate.get(),
        }
    }

    /// Credits reserved for a person at `provider`.
    #[must_use]
    pub fn price(&self, provider: Provider) -> PerPerson {
        match provider {
            Provider::Ocean => self.limits.ocean_price,
            Provider::Clodura => self.limits.clodura_price,
        }
    }

    /// The signed address for a call's webhook, where webhooks can be received.
    #[must_use]
    pub fn webhook_url(&self, provider: Provider, call_id: &str) -> Option<String> {
        let base = self.public_url.as_ref()?;
        Some(self.signing.webhook_url(base, provider, call_id))
    }

    /// Makes a write that must not be lost, however long the database is away.
    ///
    /// # Errors
    /// The write was fenced off, or would never succeed.
    pub async fn retry_write<T, F, Fut>(
        &self,
        what: &'static str,
        write: F,
    ) -> Result<T, StoreError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let others_succeed = || async { self.store.workers().heartbeat(self.worker).await.is_ok() };
        retry_write(what, Patience::USUAL, write, StoreError::is_temporary, others_succeed).await
    }
}
