//! Endpoints that are away, slow or not named don't concern the work.

use std::time::{Duration, Instant};

use end_to_end::{Kind, Row, Scene, eventually, free_port};
use sandbox::Config;

use crate::people::{people, submit};
use crate::receiver::{Receiver, hanging};

/// `SHUTDOWN_TIMEOUT` of a scene.
const SHUTDOWN: Duration = Duration::from_secs(10);

const FAILING: &str = "telemetry can't be sent";
const OVER: &str = "telemetry is sent again";

/// A scene with people, whose workers send to `url` often.
async fn scene(kind: Kind, url: &str) -> Scene {
    let mut scene = Scene::new(kind, Config::instant()).await;
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_METRIC_EXPORT_INTERVAL", "20"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ] {
        scene.set(name, value);
    }
    submit(&scene, &people()).await;
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_down_is_logged_once() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let scene = scene(kind, &format!("http://127.0.0.1:{}", free_port())).await;
        let log = scene.worker().until_idle().await.with_code(0).stderr;
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("telemetry")).collect();
        assert_eq!(lines.len(), 2, "{lines:#?}");
        for signal in ["traces", "metrics"] {
            let logged = |line: &&&str| line.contains(FAILING) && line.contains(signal);
            assert_eq!(lines.iter().filter(logged).count(), 1, "{lines:#?}");
        }
        assert!(lines.iter().all(|line| line.contains("WARN") && line.contains("refused")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_hangs_delays_no_worker() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let mut scene = scene(kind, &hanging().await).await;
        scene.set("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");
        let mut worker = scene.worker().start().await;
        scene.until_finished().await;
        let stopped = Instant::now();
        worker.process.signal("TERM");
        worker.process.ended(SHUTDOWN).await.with_code(0);
        assert!(stopped.elapsed() < SHUTDOWN, "{:?}", stopped.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_logged_when_an_endpoint_is_back() {
    let receiver = Receiver::start().await;
    receiver.refuse(true);
    let scene = scene(Kind::Sqlite, &receiver.url).await;
    let worker = scene.worker().start().await;
    let signals = |words: &'static str, count: usize| {
        let scene = &scene;
        eventually(words, move || async move {
            (scene.log().matches(words).count() == count).then_some(())
        })
    };
    signals(FAILING, 2).await;
    assert!(scene.log().contains("HTTP 503"), "{}", scene.log());
    receiver.refuse(false);
    // Spans are sent when there are some.
    submit(&scene, &[Row::ocean("late-1"), Row::ocean("late-2")]).await;
    signals(OVER, 2).await;
    let log = worker.stop().await.with_code(0).stderr;
    assert_eq!((log.matches(FAILING).count(), log.matches(OVER).count()), (2, 2), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_unless_asked_for() {
    let receiver = Receiver::start().await;
    let scene = scene(Kind::Sqlite, &receiver.url).await;
    scene.worker().set("OTEL_SDK_DISABLED", "true").until_idle().await.with_code(0);
    scene.worker().without("OTEL_EXPORTER_OTLP_ENDPOINT").until_idle().await.with_code(0);
    assert!(receiver.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_may_have_an_endpoint_of_its_own() {
    let receiver = Receiver::start().await;
    let scene = scene(Kind::Sqlite, &receiver.url).await;
    let own = format!("{}/in?tenant=1", receiver.url);
    let worker = scene.worker().without("OTEL_EXPORTER_OTLP_ENDPOINT");
    let worker = worker.set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &own);
    let worker = worker.set("OTEL_SERVICE_NAME", "mine");
    // What is logged doesn't matter to it.
    let worker = worker.set("RUST_LOG", "off");
    worker.until_idle().await.with_code(0);
    let requests = receiver.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request.path == "/in"));
    assert!(String::from_utf8_lossy(&requests[0].body).contains("mine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sampler_that_takes_nothing_leaves_the_metrics() {
    let receiver = Receiver::start().await;
    let scene = scene(Kind::Sqlite, &receiver.url).await;
    scene.worker().set("OTEL_TRACES_SAMPLER", "always_off").until_idle().await.with_code(0);
    let requests = receiver.requests();
    assert!(!requests.is_empty() && requests.iter().all(|r| r.path == "/v1/metrics"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_endpoint_is_wrong_usage() {
    let scene = Scene::new(Kind::Sqlite, Config::instant()).await;
    for (name, value) in
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
    {
        let worker = scene.worker().set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
        let ended = worker.set(name, value).until_idle().await.with_code(2);
        assert!(ended.stderr.starts_with(&format!("worker: {name}")), "{}", ended.stderr);
    }
}
