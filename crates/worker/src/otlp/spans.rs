use std::sync::Arc;

use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanEvents, SpanExporter, SpanLinks};
use tokio::runtime::Handle;

use super::layer::Spans;
use super::outlet::Outlet;

/// The attributes that are sent. A field that a span gets later is not sent unless it is added here.
const ATTRIBUTES: [&str; 6] = ["call_id", "provider", "kind", "people", "http_status", "outcome"];

/// Collects spans, and sends them from a thread of its own. Its queue is bounded: what doesn't fit is dropped.
pub(super) fn provider(outlet: Outlet, resource: Resource) -> SdkTracerProvider {
    let exporter = Exporter {
        outlet: Arc::new(outlet),
        runtime: Handle::current(),
        resource: ResourceAttributesWithSchema::from(&resource),
    };
    SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()
}

pub(super) fn layer(provider: &SdkTracerProvider) -> Spans {
    Spans::new(provider.tracer("reveal-queue"))
}

#[derive(Debug)]
struct Exporter {
    outlet: Arc<Outlet>,
    /// Where requests run: the thread that calls has no runtime.
    runtime: Handle,
    resource: ResourceAttributesWithSchema,
}

impl SpanExporter for Exporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(strip);
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let request = ExportTraceServiceRequest { resource_spans };
        let outlet = Arc::clone(&self.outlet);
        // The outlet logs what can't be sent.
        let _ = self.runtime.spawn(async move { outlet.send(&request).await }).await;
        Ok(())
    }
}

/// Removes from a span everything that may not be sent: log lines, texts, other attributes.
fn strip(span: &mut SpanData) {
    span.attributes.retain(|attribute| ATTRIBUTES.contains(&attribute.key.as_str()));
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    span.status = Status::Unset;
    span.span_kind = match span.name.as_ref() {
        "call" | "poll" | "balance" => SpanKind::Client,
        "webhook" => SpanKind::Server,
        _ => SpanKind::Internal,
    };
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::trace::{Event, SpanContext, SpanId};
    use opentelemetry::{InstrumentationScope, KeyValue};

    use super::*;

    #[test]
    fn only_listed_attributes_are_sent() {
        let at = SystemTime::UNIX_EPOCH;
        let mut events = SpanEvents::default();
        events.events.push(Event::new("+49 151 23456789", at, Vec::new(), 0));
        let mut span = SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "call".into(),
            start_time: at,
            end_time: at,
            attributes: vec![
                KeyValue::new("call_id", "01M"),
                KeyValue::new("phone", "+49 151 23456789"),
            ],
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: Status::error("+49 151 23456789"),
            instrumentation_scope: InstrumentationScope::default(),
        };
        strip(&mut span);
        assert!(!format!("{span:?}").contains("+49"), "{span:?}");
        assert_eq!(span.attributes, [KeyValue::new("call_id", "01M")]);
        assert_eq!(span.span_kind, SpanKind::Client);
    }
}
