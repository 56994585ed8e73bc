//! How webhooks are delivered, and what goes wrong with them.

use sandbox::{Plan, Provider};
use serde_json::{Value, json};

use crate::support::{SOON, Stage};

async fn with_webhook_faults(faults: Value) -> Stage {
    let stage = Stage::instant().await;
    let patch = json!({"ocean": {"webhooks": faults}, "clodura": {"webhooks": faults}});
    stage.sandbox.merge_config(&patch).expect("valid");
    stage
}

#[tokio::test]
async fn a_refused_webhook_is_sent_again() {
    let stage = Stage::instant().await;
    stage.inbox.answer_with([500, 404]);
    stage.ask_ocean(&["found-1"]).await;
    stage.idle().await;
    let bodies = stage.inbox.bodies();
    assert_eq!(bodies.len(), 3);
    assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
    let webhooks = stage.sandbox.stats().ocean.webhooks;
    assert_eq!((webhooks.attempts, webhooks.delivered, webhooks.given_up), (3, 1, 0));
}

#[tokio::test]
async fn attempts_end() {
    let stage = Stage::with(|config| config.delivery.attempts = 2).await;
    stage.inbox.answer_with([500, 500, 500]);
    stage.ask_ocean(&["found-1"]).await;
    let unreachable =
        json!({"personIds": ["found-2"], "webhookUrl": "http://127.0.0.1:1/nobody-listens"});
    assert_eq!(stage.ocean(&unreachable).send().await.expect("answered").status(), 200);
    stage.idle().await;
    assert_eq!(stage.inbox.len(), 2);
    let webhooks = stage.sandbox.stats().ocean.webhooks;
    assert_eq!((webhooks.attempts, webhooks.delivered, webhooks.given_up), (4, 0, 2));
}

#[tokio::test]
async fn lost_webhooks_are_charged_and_can_be_tracked() {
    let stage = with_webhook_faults(json!({"lost_rate": 1})).await;
    stage.ask_ocean(&["found-1"]).await;
    let accepted = stage.ask_clodura("found-1").await;
    stage.idle().await;
    assert_eq!(stage.inbox.len(), 0);
    let stats = stage.sandbox.stats();
    assert_eq!((stats.ocean.webhooks.lost, stats.ocean.credits_charged), (1, 1));
    assert_eq!(stage.track(&accepted).await.body["status"], "success");
}

#[tokio::test]
async fn duplicates_are_alike() {
    let stage = with_webhook_faults(json!({"duplicated_rate": 1, "duplicate_delay_ms": 1})).await;
    stage.ask_ocean(&["found-1"]).await;
    let webhooks = stage.inbox.wait(2).await;
    assert_eq!(webhooks[0], webhooks[1]);
    stage.idle().await;
    assert_eq!(stage.sandbox.stats().ocean.credits_charged, 1);
}

#[tokio::test]
async fn late_and_overtaken() {
    for faults in [
        json!({"late_rate": 1, "late_ms": 1_000}),
        json!({"out_of_order_rate": 1, "out_of_order_ms": 1_000}),
    ] {
        let stage = with_webhook_faults(faults).await;
        stage.ask_ocean(&["found-1"]).await;
        assert!(stage.sandbox.wait_for(SOON, |stats| stats.ocean.people_finished == 1).await);
        stage
            .sandbox
            .merge_config(&json!({"ocean": {"webhooks": {"late_rate": 0, "out_of_order_rate": 0}}}))
            .expect("valid");
        stage.ask_ocean(&["found-2"]).await;
        let webhooks = stage.inbox.wait(2).await;
        assert_eq!(webhooks[0]["phones"][0]["personId"], "found-2");
        assert_eq!(webhooks[1]["phones"][0]["personId"], "found-1");
    }
}

#[tokio::test]
async fn spoilt_bodies() {
    for fault in ["malformed_rate", "truncated_rate"] {
        let stage = with_webhook_faults(json!({fault: 1})).await;
        stage.ask_ocean(&["found-1"]).await;
        stage.ask_clodura("found-1").await;
        stage.idle().await;
        let bodies = stage.inbox.bodies();
        assert_eq!(bodies.len(), 2);
        assert!(
            bodies.iter().all(|body| serde_json::from_slice::<Value>(body).is_err()),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn entries_in_another_order_and_unknown_people_among_them() {
    let stage = with_webhook_faults(
        json!({"shuffled_rate": 1, "unknown_person_rate": 1, "extra_fields_rate": 1}),
    )
    .await;
    stage.ask_ocean(&["found-1", "found-2"]).await;
    let webhook = &stage.inbox.wait(1).await[0];
    let ids: Vec<&str> = webhook["phones"]
        .as_array()
        .expect("phones")
        .iter()
        .filter_map(|entry| entry["personId"].as_str())
        .collect();
    assert_eq!((ids.len(), ids[1], ids[2]), (3, "found-2", "found-1"));
    assert!(ids[0].starts_with("unknown-"));
    assert!(webhook.get("meta").is_some());
}

#[tokio::test]
async fn an_unknown_person_in_the_standard_shape_takes_the_place() {
    let stage = with_webhook_faults(json!({"unknown_person_rate": 1})).await;
    stage.sandbox.merge_config(&json!({"clodura": {"plan": Plan::Prospect}})).expect("valid");
    stage.ask_clodura("found-1").await;
    let webhook = &stage.inbox.wait(1).await[0];
    assert!(webhook["personId"].as_str().is_some_and(|id| id.starts_with("unknown-")));
}

#[tokio::test]
async fn a_webhook_comes_before_the_answer() {
    let stage = with_webhook_faults(json!({"early_rate": 1})).await;
    stage.sandbox.merge_config(&json!({"ocean": {"result_delay_ms": [500, 500]}})).expect("valid");
    stage.ask_ocean(&["found-1"]).await.is(200, &json!({"status": "webhook sent"}));
    assert_eq!(stage.inbox.len(), 1);
    assert_eq!(stage.ask_clodura("found-1").await.status, 200);
    assert_eq!(stage.inbox.len(), 2);
}

#[tokio::test]
async fn who_is_in_progress_may_follow() {
    let faults = json!({"in_progress_rate": 1, "in_progress_followup_ms": 1});
    let stage = with_webhook_faults(faults).await;
    stage.ask_ocean(&["found-1", "none-2"]).await;
    let webhooks = stage.inbox.wait(2).await;
    assert!(
        webhooks[0]["phones"]
            .as_array()
            .expect("phones")
            .iter()
            .all(|entry| entry["status"] == "inProgress")
    );
    assert_eq!(webhooks[1]["phones"][0]["status"], "verified");
    assert_eq!(webhooks[1]["phones"][1]["status"], "notFound");
    stage.idle().await;
    let ocean = stage.sandbox.stats().ocean;
    assert_eq!((ocean.credits_charged, ocean.credits_reserved), (1, 0));
}

#[tokio::test]
async fn held_webhooks_wait_for_their_release() {
    let stage = Stage::instant().await;
    stage.sandbox.hold_webhooks();
    stage.ask_ocean(&["found-1"]).await;
    stage.ask_clodura("found-1").await;
    assert!(stage.sandbox.wait_for(SOON, |stats| stats.held == 2).await);
    assert_eq!(stage.sandbox.stats().ocean.credits_charged, 1);
    assert_eq!((stage.inbox.len(), stage.sandbox.stats().pending), (0, 2));
    stage.sandbox.release_webhooks();
    stage.idle().await;
    assert_eq!(stage.inbox.len(), 2);
}

#[tokio::test]
async fn the_same_seed_loses_the_same_webhooks() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let stage = with_webhook_faults(json!({"lost_rate": 0.5})).await;
        for n in 0..20 {
            stage.ask_ocean(&[&format!("p{n}")]).await;
        }
        stage.idle().await;
        let mut came: Vec<String> =
            stage.inbox.wait(0).await.iter().map(Value::to_string).collect();
        came.extend(
            stage.inbox.bodies().iter().map(|body| String::from_utf8_lossy(body).into_owned()),
        );
        came.sort_unstable();
        assert!((3..18).contains(&came.len()), "{}", came.len());
        runs.push(came);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn the_numbers_are_the_expected_ones_for_every_seed() {
    for seed in [1, 2, 3] {
        let stage = Stage::with(|config| config.seed = seed).await;
        let ids: Vec<String> = (0..50).map(|n| format!("p{n}")).collect();
        stage.ask_ocean(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let webhook = &stage.inbox.wait(1).await[0];
        for (entry, id) in webhook["phones"].as_array().expect("phones").iter().zip(&ids) {
            let expected = stage.sandbox.expected(Provider::Ocean, id);
            let numbers: Vec<&str> = entry["numbers"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(numbers, expected.e164());
        }
    }
}
