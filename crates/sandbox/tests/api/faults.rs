//! What goes wrong with requests, and whether they were processed all the same.

use std::time::Duration;

use sandbox::{Endpoint, Provider, ScriptedResponse};
use serde_json::{Value, json};

use crate::support::{SOON, Stage};

async fn with_ocean_faults(faults: Value) -> Stage {
    let stage = Stage::instant().await;
    stage.sandbox.merge_config(&json!({"ocean": {"faults": faults}})).expect("valid");
    stage
}

/// Waits until nothing more happens, and returns how many requests were accepted.
async fn accepted(stage: &Stage) -> u64 {
    stage.idle().await;
    stage.sandbox.stats().ocean.accepted_requests
}

#[tokio::test]
async fn connections_break_before_and_after_acceptance() {
    for (fault, processed) in [("drop_before_rate", 0), ("drop_after_rate", 1)] {
        let stage = with_ocean_faults(json!({fault: 1})).await;
        let body = json!({"personIds": ["found-1"], "webhookUrl": stage.inbox.url()});
        let error = stage.ocean(&body).send().await.expect_err("no answer");
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
        assert_eq!(accepted(&stage).await, processed, "{fault}");
        assert_eq!(stage.inbox.len() as u64, processed);
        assert_eq!(stage.sandbox.stats().requests[&Endpoint::OceanReveal]["dropped"], 1);
    }
}

#[tokio::test]
async fn statuses_come_before_and_after_acceptance() {
    for (faults, status, processed) in [
        (json!({"error_before_rate": 1}), 500, 0),
        (json!({"error_after_rate": 1, "error_status": 502}), 502, 1),
        (json!({"error_after_rate": 1, "error_status": 408}), 408, 1),
        (json!({"unavailable_rate": 1}), 503, 0),
        (json!({"request_timeout_rate": 1}), 408, 0),
        (json!({"redirect_rate": 1}), 307, 0),
        (json!({"unreadable_rate": 1}), 200, 1),
        (json!({"burst_every": 1}), 429, 0),
        (json!({"wrong_key": true}), 403, 0),
    ] {
        let stage = with_ocean_faults(faults.clone()).await;
        let answer = stage.ask_ocean(&["found-1"]).await;
        assert_eq!((answer.status, accepted(&stage).await), (status, processed), "{faults}");
        assert!(status == 403 || answer.body == Value::Null, "{faults}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_refusal_is_not_hidden_by_a_fault() {
    let stage = with_ocean_faults(json!({"drop_after_rate": 1})).await;
    assert_eq!(stage.ask_ocean(&["bad-1"]).await.status, 422);
}

#[tokio::test]
async fn a_redirect_that_is_followed_is_seen() {
    let stage = with_ocean_faults(json!({"redirect_rate": 1})).await;
    let answer = stage.ask_ocean(&["p1"]).await;
    assert_eq!(stage.sandbox.stats().redirects_followed, 0);
    stage.post(answer.header("location"), &json!({})).await;
    assert_eq!(stage.sandbox.stats().redirects_followed, 1);
}

#[tokio::test]
async fn bursts_of_429_name_a_time() {
    let stage =
        with_ocean_faults(json!({"burst_every": 3, "burst_length": 2, "burst_retry_after_s": 7}))
            .await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = stage.ask_ocean(&["p1"]).await;
        assert!(answer.status == 200 || answer.header("retry-after") == "7");
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [429, 429, 200, 429, 429, 200]);
}

#[tokio::test]
async fn a_slow_answer_was_processed_at_once() {
    let stage = with_ocean_faults(json!({"slow_rate": 1, "slow_ms": 3_600_000})).await;
    let body = json!({"personIds": ["found-1"], "webhookUrl": stage.inbox.url()});
    let request = stage.ocean(&body).timeout(Duration::from_secs(1)).send();
    let (answer, webhooks) = tokio::join!(request, stage.inbox.wait(1));
    assert!(answer.expect_err("too slow").is_timeout());
    assert_eq!(webhooks[0]["phones"][0]["personId"], "found-1");
    assert!(stage.sandbox.wait_for(SOON, |stats| stats.ocean.most_in_flight == 1).await);
}

#[tokio::test]
async fn faults_hit_only_the_endpoints_that_are_named() {
    let stage = with_ocean_faults(json!({"unavailable_rate": 1})).await;
    assert_eq!(stage.get("/v2/credits/balance").await.status, 200);
    stage
        .sandbox
        .merge_config(&json!({"ocean": {"faults": {"endpoints": ["balance"]}}}))
        .expect("valid");
    assert_eq!(stage.get("/v2/credits/balance").await.status, 503);
    assert_eq!(stage.ask_ocean(&["p1"]).await.status, 200);
    assert_eq!(stage.ask_clodura("p1").await.status, 200);
}

#[tokio::test]
async fn the_same_seed_has_the_same_faults() {
    let mut series = Vec::new();
    for seed in [5, 5, 6] {
        let stage =
            with_ocean_faults(json!({"error_before_rate": 0.3, "unavailable_rate": 0.3})).await;
        stage.sandbox.merge_config(&json!({"seed": seed})).expect("valid");
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(stage.ask_ocean(&["p1"]).await.status);
        }
        series.push(statuses);
    }
    assert_eq!(series[0], series[1]);
    assert_ne!(series[0], series[2]);
}

#[tokio::test]
async fn scripts_replace_answers() {
    let stage = Stage::instant().await;
    let scripted = vec![
        ScriptedResponse { times: 2, ..ScriptedResponse::new(418, json!({"detail": "tea"})) },
        ScriptedResponse { accept: true, ..ScriptedResponse::new(504, "late") },
        ScriptedResponse { drop: true, ..ScriptedResponse::default() },
    ];
    stage.sandbox.script(Endpoint::OceanReveal, scripted);
    for _ in 0..2 {
        stage.ask_ocean(&["p1"]).await.is(418, &json!({"detail": "tea"}));
    }
    assert_eq!(stage.sandbox.stats().ocean.accepted_requests, 0);
    let hidden = stage.ask_ocean(&["p1"]).await;
    assert_eq!((hidden.status, hidden.text.as_str()), (504, "late"));
    assert_eq!(stage.sandbox.person(Provider::Ocean, "p1").map(|person| person.asked), Some(1));
    assert!(stage.ocean(&json!({})).send().await.is_err());
    assert_eq!(stage.ask_ocean(&["p1"]).await.status, 200);
    stage.sandbox.script(Endpoint::OceanReveal, vec![ScriptedResponse::new(500, "")]);
    stage.sandbox.clear_script(Endpoint::OceanReveal);
    assert_eq!(stage.ask_ocean(&["p1"]).await.status, 200);
}
