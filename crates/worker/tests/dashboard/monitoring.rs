//! `deploy/prometheus` and `deploy/grafana` ask only for metrics that the worker has: an alert on a renamed metric
//! would silently never fire.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use end_to_end::Kind;
use jobs::Provider;
use worker::metrics::Kind as MetricKind;

use crate::site::Site;

/// A metric in an expression: its name, and for each label the values that are asked for.
type Selector = (String, BTreeMap<String, Vec<String>>);

#[tokio::test]
async fn every_metric_that_is_asked_for_is_reported() {
    let site = Site::open(Kind::Sqlite).await;
    site.balance(1_000).await;
    site.submit("Spring", 10, None).await;
    site.reveal(3, 1).await;
    // A metric without a value is left out: something must have happened, and a gate needs a reason.
    let moment = Duration::from_millis(1);
    site.metrics.request(Provider::Ocean, MetricKind::Reveal, "accepted", moment);
    site.metrics.webhook_stored(Provider::Ocean, moment);
    site.metrics.webhook_applied(Provider::Ocean, "applied", moment);
    site.post("/providers/ocean/pause", "").await;
    let metrics = metrics_of(&site.get("/metrics").await.text);
    let mut asked = 0;
    for file in ["deploy/prometheus/alerts.yml", "deploy/grafana/reveal-queue.json"] {
        let text = read(file).replace("\\\"", "\"");
        for (name, labels) in selectors(&text) {
            let Some(samples) = metrics.get(&name) else {
                panic!("{file} asks for {name}, which /metrics doesn't have")
            };
            for (label, values) in labels {
                // Only the reasons that apply now have samples.
                if samples.is_empty() || label == "reason" {
                    continue;
                }
                let known = samples.get(&label);
                for value in values {
                    assert!(
                        known.is_some_and(|known| known.contains(&value)),
                        "{file} asks for {name}{{{label}={value:?}}}, which /metrics doesn't have: {known:?}"
                    );
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 30, "only {asked} metrics were found in the files");
}

#[test]
fn the_board_for_grafana_is_json() {
    let board: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/reveal-queue.json")).expect("JSON");
    assert!(board["panels"].as_array().is_some_and(|panels| panels.len() >= 8));
}

fn read(file: &str) -> String {
    std::fs::read_to_string(end_to_end::repository().join(file)).expect("the file")
}

/// Each metric's name, as it is written in expressions, with the values of its labels.
fn metrics_of(text: &str) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut metrics: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            let endings: &[&str] =
                if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            for ending in endings {
                metrics.entry(format!("{name}{ending}")).or_default();
            }
        } else {
            for (name, labels) in selectors(line) {
                let known = metrics.entry(name).or_default();
                for (label, values) in labels {
                    known.entry(label).or_default().extend(values);
                }
            }
        }
    }
    metrics
}

/// Every `reveal_queue_…` in a text, with the `label="value"` and `label=~"one|another"` that follow it.
fn selectors(text: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("reveal_queue_") {
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        let labels = rest[end..].strip_prefix('{').and_then(|l| l.split_once('}'));
        let pairs = labels.map(|(inside, _)| inside).unwrap_or_default().split(',');
        let labels = pairs.filter_map(|pair| {
            let (label, value) = pair.split_once('=')?;
            let values = value.trim_start_matches('~').trim_matches('"').split('|');
            Some((label.trim().to_owned(), values.map(str::to_owned).collect()))
        });
        found.push((rest[..end].to_owned(), labels.collect()));
    }
    found
}
