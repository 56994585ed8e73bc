//! Which spans are sent, and which are logged. No filter of a single layer is used (`Layer::with_filter`): one that
//! refuses what a library asks by `log::log_enabled!`, as sqlx does, makes the next line or span vanish everywhere.

use opentelemetry_sdk::trace::SdkTracer;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Registry};

/// The crates whose spans are sent.
const CRATES: [&str; 5] = ["worker", "store", "db", "providers", "jobs"];

/// The finest level of spans that are sent.
const FINEST: LevelFilter = LevelFilter::DEBUG;

fn is_sent(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && *metadata.level() <= FINEST && CRATES.contains(&name)
}

/// Takes this project's spans, and no event.
pub struct Spans(OpenTelemetryLayer<Registry, SdkTracer>);

impl Spans {
    pub(super) fn new(tracer: SdkTracer) -> Self {
        let layer = OpenTelemetryLayer::new(tracer);
        let layer = layer.with_location(false).with_threads(false).with_target(false);
        Spans(layer.with_tracked_inactivity(false))
    }
}

impl Layer<Registry> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, Registry>) {
        if is_sent(attributes.metadata()) {
            self.0.on_new_span(attributes, id, context);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, Registry>) {
        self.0.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, Registry>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, Registry>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, Registry>) {
        self.0.on_close(id, context);
    }
}

/// Lets through what is logged, and the spans that are sent. Log lines then show those spans, too, at any level.
pub struct LoggedOrSent(pub EnvFilter);

impl<S> Layer<S> for LoggedOrSent
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let logged = Layer::<S>::register_callsite(&self.0, metadata);
        if is_sent(metadata) { Interest::always() } else { logged }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        is_sent(metadata) || self.0.enabled(metadata, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<S>::max_level_hint(&self.0).map(|logged| logged.max(FINEST))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Layer::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Layer::<S>::on_close(&self.0, id, context);
    }
}
