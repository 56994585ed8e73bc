//! OpenTelemetry: spans and the metrics of `/metrics`, sent by OTLP over HTTP if the standard variables name an endpoint.
//! An endpoint that is down or slow never delays work: what can't be sent is dropped.

/// `/metrics` as OTLP's messages.
mod convert;
/// Which spans are sent.
mod layer;
/// Sends messages to an endpoint.
mod outlet;
/// The standard variables.
mod settings;
/// Spans, reduced to what may be sent.
mod spans;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jobs::WorkerId;
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::task::JoinHandle;

pub use self::layer::{LoggedOrSent, Spans};
use self::outlet::Outlet;
use self::settings::Settings;
use crate::admin;
use crate::app::App;
use crate::error::StartError;

/// The name of the service where no variable gives another.
const SERVICE: &str = "reveal-queue-worker";

/// What is sent, and to which endpoint.
pub struct Exports {
    spans: Option<SdkTracerProvider>,
    metrics: Option<Arc<MetricExport>>,
    pushing: Option<JoinHandle<()>>,
}

struct MetricExport {
    outlet: Outlet,
    interval: Duration,
    resource: ResourceMessage,
}

impl Exports {
    /// Reads the standard variables, and prepares what they turn on. Must be called in a runtime.
    ///
    /// # Errors
    /// A variable can't be understood, or there is no usable TLS.
    pub fn from_environment(worker: WorkerId) -> Result<Self, StartError> {
        let settings = Settings::read(&|name| std::env::var(name).ok());
        let settings = settings.map_err(StartError::Usage)?;
        let resource = resource(worker);
        let outlet = |target: Option<settings::Target>, signal| {
            target.map(|target| Outlet::new(target, signal)).transpose().context("no HTTP client")
        };
        let spans = outlet(settings.traces, "traces")?;
        let metrics = outlet(settings.metrics, "metrics")?.map(|outlet| MetricExport {
            outlet,
            interval: settings.interval,
            resource: message(&resource),
        });
        let spans = spans.map(|outlet| spans::provider(outlet, resource));
        Ok(Exports { spans, metrics: metrics.map(Arc::new), pushing: None })
    }

    /// The layer that turns spans of `tracing` into those that are sent.
    #[must_use]
    pub fn layer(&self) -> Option<Spans> {
        self.spans.as_ref().map(spans::layer)
    }

    /// Begins to push metrics.
    pub fn begin(&mut self, app: &App) {
        self.pushing = self.metrics.clone().map(|metrics| {
            let app = app.clone();
            // Not supervised: a bug in it must not end the work.
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(metrics.interval).await;
                    metrics.push(&app).await;
                }
            })
        });
    }

    /// Sends the last spans and metrics, if that can be done within `time`.
    pub async fn end(self, app: &App, time: Duration) {
        if let Some(pushing) = self.pushing {
            pushing.abort();
        }
        let metrics = async {
            if let Some(metrics) = &self.metrics {
                metrics.push(app).await;
            }
        };
        let spans = async {
            if let Some(spans) = self.spans {
                // It waits for its own thread, so it may not run on one that serves.
                let ending = tokio::task::spawn_blocking(move || spans.shutdown_with_timeout(time));
                drop(ending.await);
            }
        };
        let _ = tokio::time::timeout(time, async { tokio::join!(metrics, spans) }).await;
    }
}

impl MetricExport {
    /// Sends what a scrape would show now.
    async fn push(&self, app: &App) {
        let Ok(text) = admin::metrics_text(app).await else { return };
        let times = convert::Times { started: app.metrics().started(), now: app.store.now() };
        let metrics = convert::metrics(&text, times);
        let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
        let resource = Some(self.resource.clone());
        let of_worker = ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![of_worker] };
        self.outlet.send(&request).await;
    }
}

/// The sender: what the standard variables say, this version, and this start of a worker.
fn resource(worker: WorkerId) -> Resource {
    let ours = Resource::builder_empty().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", worker.to_string()),
    ]);
    let said = Resource::builder().build();
    let unnamed = said.iter().any(|(key, name)| {
        key.as_str() == "service.name" && name.as_str().starts_with("unknown_service")
    });
    let ours = ours.with_attributes(said.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())));
    if unnamed { ours.with_service_name(SERVICE).build() } else { ours.build() }
}

fn message(resource: &Resource) -> ResourceMessage {
    let attributes = ResourceAttributesWithSchema::from(resource).attributes.0;
    ResourceMessage { attributes, ..ResourceMessage::default() }
}
