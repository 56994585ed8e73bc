//! Spans and metrics as a collector gets them, and what no byte of them may be.

use std::collections::{BTreeMap, BTreeSet};

use end_to_end::{CLODURA_KEY, Kind, OCEAN_KEY, Row, Scene, Worker, eventually, get};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sandbox::Config;

use crate::people::{BATCH, people, submit};
use crate::receiver::{Receiver, pairs};

type Metrics = BTreeMap<String, Metric>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    everything_is_sent_but_people(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    everything_is_sent_but_people(Kind::Postgres).await;
}

async fn everything_is_sent_but_people(kind: Kind) {
    let mut config = Config::instant();
    // Results that are polled for.
    config.clodura.webhooks.lost_rate = 1.0;
    let receiver = Receiver::start().await;
    let mut scene = Scene::new(kind, config).await;
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=trial"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        // Spans wait for the end, or for a full batch.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        // The log's filter is none of theirs.
        ("RUST_LOG", "warn,worker=info"),
    ] {
        scene.set(name, value);
    }
    let people = people();
    submit(&scene, &people).await;
    let worker = scene.worker().start().await;
    scene.until_finished().await;
    let pushed = as_scraped(&worker, &receiver).await;
    let log = worker.stop().await.with_code(0).stderr;
    assert!(!log.contains("telemetry"), "{log}");

    histograms_are_whole(&pushed);
    senders_are_named(&receiver, &log);
    spans_are_complete(&receiver.spans().0);
    nothing_personal_is_sent(&scene, &receiver, &people);
    for request in receiver.requests() {
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert_eq!(request.headers["api-key"], "a b");
    }
}

/// A push that has the names of `/metrics`, and the same counts of requests.
async fn as_scraped(worker: &Worker, receiver: &Receiver) -> Metrics {
    let requests = "reveal_queue_requests_total";
    eventually("a push shows what a scrape shows", || async {
        let shown = get(&worker.admin, "/metrics").await.body;
        let pushed = receiver.metrics().0;
        let described = shown.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let described: BTreeSet<&str> = described.filter_map(|l| l.split(' ').next()).collect();
        let accepted = counted(&shown, requests, "accepted");
        let same = accepted > 0.0 && sum(&pushed, requests, "accepted") == accepted;
        (same && described == pushed.keys().map(String::as_str).collect()).then_some(pushed)
    })
    .await
}

/// The sum of the samples of a metric with a label of this value.
fn counted(text: &str, metric: &str, value: &str) -> f64 {
    let label = format!("\"{value}\"");
    let samples = text.lines().filter(|line| line.starts_with(metric) && line.contains(&label));
    samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

fn sum(metrics: &Metrics, name: &str, value: &str) -> f64 {
    let Some(Data::Sum(sum)) = metrics.get(name).and_then(|metric| metric.data.as_ref()) else {
        return -1.0;
    };
    assert!(sum.is_monotonic && sum.data_points.iter().all(|p| p.start_time_unix_nano > 0));
    let with = |p: &&NumberDataPoint| pairs(&p.attributes).iter().any(|(_, text)| text == value);
    let number = |value: &Option<Value>| match value {
        Some(Value::AsDouble(number)) => *number,
        other => panic!("{other:?}"),
    };
    sum.data_points.iter().filter(with).map(|p| number(&p.value)).sum()
}

fn histograms_are_whole(pushed: &Metrics) {
    let took = &pushed["reveal_queue_request_duration_seconds"];
    let Some(Data::Histogram(took)) = &took.data else { panic!("{took:?}") };
    for point in &took.data_points {
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert!(point.sum.is_some_and(|sum| sum > 0.0));
    }
}

fn senders_are_named(receiver: &Receiver, log: &str) {
    let ready = log.lines().find(|line| line.contains(" ready worker=")).expect("it was ready");
    let worker = ready.split("worker=").nth(1).and_then(|rest| rest.split(' ').next());
    for senders in [receiver.spans().1, receiver.metrics().1] {
        let senders = pairs(&senders);
        for (name, value) in [
            ("service.name", "reveal-queue-worker"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", worker.expect("its id")),
            ("deployment.environment.name", "trial"),
        ] {
            assert!(senders.contains(&(name.into(), value.into())), "{name}: {senders:?}");
        }
    }
}

fn spans_are_complete(spans: &[Span]) {
    let mut names: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        names.entry(&span.name).or_default().push(span);
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        assert!(span.end_time_unix_nano > span.start_time_unix_nano, "{span:?}");
    }
    let wanted = [
        (
            "call",
            SpanKind::Client,
            &["call_id", "http_status", "kind", "outcome", "people", "provider"][..],
        ),
        ("poll", SpanKind::Client, &["call_id", "http_status", "kind", "outcome", "provider"]),
        ("balance", SpanKind::Client, &["http_status", "kind", "outcome", "provider"]),
        ("webhook", SpanKind::Server, &["call_id", "http_status", "outcome", "provider"]),
        ("apply", SpanKind::Internal, &[]),
    ];
    assert_eq!(
        names.keys().copied().collect::<BTreeSet<_>>(),
        wanted.iter().map(|w| w.0).collect()
    );
    for (name, kind, keys) in wanted {
        for span in &names[name] {
            let has: Vec<_> = pairs(&span.attributes).into_iter().map(|(key, _)| key).collect();
            assert_eq!(
                (span.kind, has),
                (kind as i32, keys.iter().map(|k| (*k).to_owned()).collect())
            );
        }
    }
    let has = |span: &Span, pair: (&str, &str)| {
        pairs(&span.attributes).contains(&(pair.0.into(), pair.1.into()))
    };
    let accepted = names["call"].iter().filter(|span| has(span, ("outcome", "accepted")));
    assert!(
        accepted
            .clone()
            .all(|span| has(span, ("http_status", "200")) && has(span, ("kind", "reveal")))
    );
    assert!(accepted.clone().any(|span| has(span, ("people", "20"))), "Ocean's 20 in one call");
    assert!(names["webhook"].iter().any(|span| has(span, ("outcome", "stored"))));
    let lengths = spans.iter().map(|span| (span.trace_id.len(), span.span_id.len()));
    assert!(lengths.clone().all(|lengths| lengths == (16, 8)));
}

fn nothing_personal_is_sent(scene: &Scene, receiver: &Receiver, people: &[Row]) {
    let mut forbidden: BTreeSet<String> =
        [OCEAN_KEY, CLODURA_KEY, BATCH, "/webhooks/", "Name 1", "127.0.0.1", "tracking", "person-"]
            .map(str::to_owned)
            .into();
    for (provider, id) in people.iter().flat_map(Row::steps) {
        let expected = scene.sandbox.expected(provider, id);
        forbidden.extend([id.to_owned(), expected.first_name, expected.last_name]);
        for number in expected.numbers {
            let digits = number.e164.trim_start_matches('+').to_owned();
            forbidden.extend([digits, number.raw]);
        }
    }
    assert!(forbidden.len() > 60, "{forbidden:?}");
    for request in receiver.requests() {
        let text = String::from_utf8_lossy(&request.body);
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{} has {word:?}", request.path);
        }
        let signature = text.split(|c: char| !c.is_ascii_hexdigit()).find(|run| run.len() == 64);
        assert_eq!(signature, None, "a signature");
    }
}
