//! A collector that keeps what it gets, or one that refuses or never answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

/// A request that was received.
#[derive(Clone)]
pub struct Request {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Clone, Default)]
pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    refuses: Arc<AtomicBool>,
}

impl Receiver {
    pub async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let receiver = Receiver { url, ..Receiver::default() };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// From now on answers 503, or 200 again.
    pub fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.lock().expect("no thread panics with it").clone()
    }

    fn bodies(&self, path: &str) -> Vec<Bytes> {
        self.requests().into_iter().filter(|r| r.path == path).map(|r| r.body).collect()
    }

    /// Every span, and the attributes of those who sent them.
    pub fn spans(&self) -> (Vec<Span>, Vec<KeyValue>) {
        let (mut spans, mut senders) = (Vec::new(), Vec::new());
        for body in self.bodies("/v1/traces") {
            let request = ExportTraceServiceRequest::decode(body).expect("spans");
            for sent in request.resource_spans {
                senders.extend(sent.resource.expect("who sent it").attributes);
                spans.extend(sent.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        (spans, senders)
    }

    /// The last metrics by name, with the attributes of those who sent them.
    pub fn metrics(&self) -> (BTreeMap<String, Metric>, Vec<KeyValue>) {
        let Some(body) = self.bodies("/v1/metrics").pop() else { return Default::default() };
        let request = ExportMetricsServiceRequest::decode(body).expect("metrics");
        let (mut metrics, mut senders) = (BTreeMap::new(), Vec::new());
        for sent in request.resource_metrics {
            senders.extend(sent.resource.expect("who sent it").attributes);
            let sent = sent.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            metrics.extend(sent.map(|metric| (metric.name.clone(), metric)));
        }
        (metrics, senders)
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if receiver.refuses.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let request = Request { path: uri.path().to_owned(), headers, body };
    receiver.seen.lock().expect("no thread panics with it").push(request);
    StatusCode::OK
}

/// The address of a listener that accepts connections and never answers.
pub async fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = listener.accept().await {
            held.push(connection);
        }
    });
    url
}

/// Attributes as text.
pub fn pairs(attributes: &[KeyValue]) -> BTreeSet<(String, String)> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    };
    attributes
        .iter()
        .map(|a| (a.key.clone(), text(a).unwrap_or_else(|| panic!("{a:?} is no text"))))
        .collect()
}
