//! A worker's log, as its readers need it.

use std::collections::BTreeMap;

use end_to_end::{Kind, Row, Scene};
use sandbox::Config;
use serde_json::Value;

on_both!(a_clodura_batch_is_a_few_lines_and_one_end);

/// A million rows must not be a million log lines, at a provider with one person a request either.
async fn a_clodura_batch_is_a_few_lines_and_one_end(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    for (name, value) in [("RUST_LOG", "info"), ("LOG_FORMAT", "json"), ("CLODURA_RATE", "200/s")] {
        scene.set(name, value);
    }
    let people: Vec<Row> = (0..300).map(|n| Row::clodura(format!("found-{n}"))).collect();
    let batch = scene.submit(&people, &[]).await;
    let ocean: Vec<Row> = (0..3).map(|n| Row::ocean(format!("found-{n}"))).collect();
    let small = scene.submit(&ocean, &[]).await;
    let ended = scene.worker().until_idle().await.with_code(0);

    let lines: Vec<Value> =
        ended.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut messages: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in &lines {
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        messages.entry(message).or_default().push(line);
    }
    assert!(lines.len() < 60, "{} lines: {:?}", lines.len(), messages.keys());

    let ends: BTreeMap<&str, i64> = messages["batch finished"]
        .iter()
        .map(|line| {
            let fields = &line["fields"];
            (
                fields["batch_id"].as_str().expect("its id"),
                fields["rows"].as_i64().expect("a number"),
            )
        })
        .collect();
    assert_eq!(messages["batch finished"].len(), 2);
    assert_eq!(ends, BTreeMap::from([(batch.id.as_str(), 300), (small.id.as_str(), 3)]));

    let well: u64 = messages["went well"]
        .iter()
        .map(|line| line["fields"]["requests"].as_u64().expect("a number"))
        .sum();
    assert_eq!(well, 300);
    // Ocean's calls have a line each.
    assert!(messages["answered"].iter().all(|line| line["fields"]["took_ms"].is_u64()));
    assert!(messages.contains_key("results applied"));
}
