//! The counters of this process. The state of the ledger is read for each scrape: `admin::metrics`.

use std::sync::Arc;
use std::time::Duration;

use jobs::outcome::FreeRequestFailure;
use jobs::{Provider, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The prefix of every metric of this project.
pub const PREFIX: &str = "reveal_queue";

/// What a request to a provider is for; the words of `call_log.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers of people.
    Reveal,
    /// Which ids people have.
    Lookup,
    /// A result that is late.
    Track,
    /// What the account holds.
    Balance,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Reveal => "reveal",
            Kind::Lookup => "lookup",
            Kind::Track => "track",
            Kind::Balance => "balance",
        }
    }
}

/// Where a token of the dashboard came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFrom {
    /// The form of the login.
    Form,
    /// A program's `Authorization: Bearer`.
    Bearer,
}

impl TokenFrom {
    /// The word of the metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TokenFrom::Form => "form",
            TokenFrom::Bearer => "bearer",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenTried {
    from: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    provider: &'static str,
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exchange {
    provider: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Webhook {
    provider: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProvider {
    provider: &'static str,
}

/// The counters of this process; cheap to clone, and never in the way: counting can't fail.
#[derive(Clone)]
pub struct Metrics(Arc<Counters>);

struct Counters {
    started: Timestamp,
    registry: Registry,
    requests: Family<Request, Counter>,
    request_time: Family<Exchange, Histogram>,
    received: Family<Webhook, Counter>,
    applied: Family<Webhook, Counter>,
    store_time: Family<OfProvider, Histogram>,
    apply_time: Family<OfProvider, Histogram>,
    tokens_tried: Family<TokenTried, Counter>,
}

/// The word for what came of a request that costs no credits.
pub(crate) fn free_outcome<T>(result: &Result<T, FreeRequestFailure>) -> &'static str {
    match result {
        Ok(_) => "answered",
        Err(FreeRequestFailure::RateLimited { .. }) => "rate_limited",
        Err(FreeRequestFailure::Misconfigured { .. }) => "misconfigured",
        Err(FreeRequestFailure::Unavailable { .. }) => "unavailable",
    }
}

/// Seconds, from a fast answer to a request's longest time.
fn request_buckets() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

/// Seconds. A write takes milliseconds; with the database away it takes longer.
fn write_buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}

/// Seconds. Webhooks that waited for a worker to start waited long.
fn backlog_buckets() -> Histogram {
    Histogram::new([0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3600.0])
}

impl Metrics {
    /// Counters of a process that starts now.
    #[must_use]
    pub fn new(started: Timestamp) -> Self {
        let mut counters = Counters {
            started,
            registry: Registry::default(),
            requests: Family::default(),
            request_time: Family::new_with_constructor(request_buckets as fn() -> Histogram),
            received: Family::default(),
            applied: Family::default(),
            store_time: Family::new_with_constructor(write_buckets as fn() -> Histogram),
            apply_time: Family::new_with_constructor(backlog_buckets as fn() -> Histogram),
            tokens_tried: Family::default(),
        };
        counters.register();
        counters.begin_at_zero();
        Metrics(Arc::new(counters))
    }

    /// Counts a request to a provider that ended.
    pub fn request(&self, provider: Provider, kind: Kind, outcome: &'static str, took: Duration) {
        let (provider, kind) = (provider.as_str(), kind.as_str());
        self.0.requests.get_or_create(&Request { provider, kind, outcome }).inc();
        self.0.request_time.get_or_create(&Exchange { provider, kind }).observe(took.as_secs_f64());
    }

    /// Counts an ended request that costs no credits.
    pub fn free_request<T>(
        &self,
        provider: Provider,
        kind: Kind,
        result: &Result<T, FreeRequestFailure>,
        took: Duration,
    ) {
        self.request(provider, kind, free_outcome(result), took);
    }

    /// Counts an answered webhook: `stored`, `spooled`, `malformed`, `refused`, `forged` or `lost`.
    pub fn webhook_received(&self, provider: Provider, outcome: &'static str) {
        self.0.received.get_or_create(&Webhook { provider: provider.as_str(), outcome }).inc();
    }

    /// Counts a webhook that became durable this long after its first byte.
    pub fn webhook_stored(&self, provider: Provider, took: Duration) {
        let labels = OfProvider { provider: provider.as_str() };
        self.0.store_time.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a stored webhook that was applied this long after it was stored.
    pub fn webhook_applied(&self, provider: Provider, outcome: &'static str, waited: Duration) {
        let provider = provider.as_str();
        self.0.applied.get_or_create(&Webhook { provider, outcome }).inc();
        self.0.apply_time.get_or_create(&OfProvider { provider }).observe(waited.as_secs_f64());
    }

    /// Counts a token that was tried at the dashboard: `right`, `wrong` or `too_fast`.
    pub fn token_tried(&self, from: TokenFrom, outcome: &'static str) {
        self.0.tokens_tried.get_or_create(&TokenTried { from: from.as_str(), outcome }).inc();
    }

    /// Since when it counts.
    pub(crate) fn started(&self) -> Timestamp {
        self.0.started
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }
}

impl Counters {
    fn register(&mut self) {
        let seconds = self.started.millis() as f64 / 1000.0;
        self.registry.register(
            "process_start_time_seconds",
            "When this process started, in seconds since 1970",
            ConstGauge::new(seconds),
        );
        let ours = self.registry.sub_registry_with_prefix(PREFIX);
        let build = Family::<Vec<(&str, &str)>, Gauge>::default();
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION"))]).set(1);
        ours.register("build_info", "The version of this worker", build);
        ours.register("requests", "Requests to providers that ended", self.requests.clone());
        ours.register_with_unit(
            "request_duration",
            "How long requests to providers took",
            Unit::Seconds,
            self.request_time.clone(),
        );
        ours.register(
            "webhooks_received",
            "Webhooks by how they were answered",
            self.received.clone(),
        );
        ours.register(
            "webhooks_applied",
            "Applied webhooks by their outcome",
            self.applied.clone(),
        );
        ours.register_with_unit(
            "webhook_store_duration",
            "From a webhook's first byte until it is durable and can be acknowledged",
            Unit::Seconds,
            self.store_time.clone(),
        );
        ours.register_with_unit(
            "webhook_apply_delay",
            "From a webhook being durable until its results are in the ledger",
            Unit::Seconds,
            self.apply_time.clone(),
        );
        ours.register(
            "admin_tokens_tried",
            "Tokens that were tried at the dashboard and at /metrics, by their outcome",
            self.tokens_tried.clone(),
        );
    }

    /// Creates counters before their first event: a counter that appears with its first event has no rate for that
    /// event.
    fn begin_at_zero(&self) {
        for from in [TokenFrom::Form.as_str(), TokenFrom::Bearer.as_str()] {
            for outcome in ["right", "wrong", "too_fast"] {
                let _ = self.tokens_tried.get_or_create(&TokenTried { from, outcome });
            }
        }
        for provider in Provider::ALL {
            let provider = provider.as_str();
            for outcome in ["accepted", "unknown", "unavailable", "rate_limited", "misconfigured"] {
                let _ = self.requests.get_or_create(&Request { provider, kind: "reveal", outcome });
            }
            for outcome in ["stored", "spooled", "malformed", "refused", "forged", "lost"] {
                let _ = self.received.get_or_create(&Webhook { provider, outcome });
            }
            for outcome in
                ["applied", "duplicate", "late", "malformed", "unknown_person", "unknown_call"]
            {
                let _ = self.applied.get_or_create(&Webhook { provider, outcome });
            }
        }
    }
}
