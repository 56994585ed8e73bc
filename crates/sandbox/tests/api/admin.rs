//! The endpoints under `/sandbox`.

use sandbox::{Config, Expected, PersonStats, Provider, Stats};
use serde_json::json;

use crate::support::Stage;

#[tokio::test]
async fn counts_and_people() {
    let stage = Stage::instant().await;
    stage.ask_ocean(&["found-1", "none-2"]).await;
    stage.ask_clodura("linkedin.com-less").await;
    stage.idle().await;
    let stats: Stats =
        serde_json::from_value(stage.get("/sandbox/stats").await.body).expect("stats");
    assert_eq!(stats, stage.sandbox.stats());
    assert_eq!(
        stats.requests.keys().map(|endpoint| endpoint.name()).collect::<Vec<_>>(),
        ["ocean.reveal", "clodura.reveal"]
    );
    let list = |answer: crate::support::Answer| -> Vec<PersonStats> {
        serde_json::from_value(answer.body).expect("people")
    };
    assert_eq!(list(stage.get("/sandbox/people").await).len(), 3);
    let charged = list(stage.get("/sandbox/people?provider=ocean&min_charged=1").await);
    assert_eq!(
        charged.iter().map(|person| person.person_id.as_str()).collect::<Vec<_>>(),
        ["found-1"]
    );
    assert_eq!(list(stage.get("/sandbox/people?id=none-2&limit=5").await)[0].asked, 1);
    assert_eq!(stage.get("/sandbox/people?provider=nobody").await.status, 400);
}

#[tokio::test]
async fn configuration_at_run_time() {
    let stage = Stage::instant().await;
    let changed =
        stage.post("/sandbox/config", &json!({"ocean": {"faults": {"unavailable_rate": 1}}})).await;
    let config: Config = serde_json::from_value(changed.body).expect("a configuration");
    assert_eq!(config, stage.sandbox.config());
    assert_eq!(stage.ask_ocean(&["p1"]).await.status, 503);
    let refused = stage.post("/sandbox/config", &json!({"ocean": {"hit_rate": 3}})).await;
    refused.is(400, &json!({"error": "configuration: ocean.hit_rate: is from 0 to 1"}));
    assert_eq!(stage.get("/sandbox/config").await.body["ocean"]["faults"]["unavailable_rate"], 1.0);
}

#[tokio::test]
async fn expected_results_are_reported() {
    let stage = Stage::instant().await;
    let answer = stage
        .get("/sandbox/expected?provider=clodura&id=https%3A%2F%2Flinkedin.com%2Fin%2FMany-Foo")
        .await;
    let expected: Expected = serde_json::from_value(answer.body).expect("an expected result");
    assert_eq!(expected, stage.sandbox.expected(Provider::Clodura, "linkedin.com/in/many-foo"));
    assert_eq!(expected.numbers.len(), 3);
}

#[tokio::test]
async fn top_ups_scripts_and_holding() {
    let stage =
        Stage::with(|config| (config.ocean.one_time, config.ocean.recurrent) = (0, 0)).await;
    assert_eq!(stage.ask_ocean(&["found-1"]).await.status, 402);
    let stats = stage.post("/sandbox/topup", &json!({"provider": "ocean", "credits": 5})).await;
    assert_eq!(stats.body["ocean"]["credits_left"], 5);
    assert_eq!(stage.post("/sandbox/webhooks/hold", &json!({})).await.status, 204);
    assert_eq!(stage.ask_ocean(&["found-1"]).await.status, 200);
    assert!(stage.sandbox.wait_for(crate::support::SOON, |stats| stats.held == 1).await);
    assert_eq!(stage.post("/sandbox/webhooks/release", &json!({})).await.status, 204);
    stage.inbox.wait(1).await;
    let script = json!({"endpoint": "clodura.balance", "responses": [{"status": 500, "body": "oops", "times": 9}]});
    assert_eq!(stage.post("/sandbox/script", &script).await.status, 204);
    let answer = stage.get("/api/v1/credits").await;
    assert_eq!((answer.status, answer.text.as_str()), (500, "oops"));
    let clear = json!({"endpoint": "clodura.balance", "clear": true});
    assert_eq!(stage.post("/sandbox/script", &clear).await.status, 204);
    assert_eq!(stage.get("/api/v1/credits").await.status, 200);
    let unknown = json!({"endpoint": "ocean.track", "responses": []});
    assert_eq!(stage.post("/sandbox/script", &unknown).await.status, 422);
}

#[tokio::test]
async fn a_dropped_sandbox_is_gone_for_open_connections_too() {
    let stage = Stage::instant().await;
    stage.get("/sandbox/stats").await;
    let url = stage.url("/sandbox/stats");
    drop(stage.sandbox);
    let gone = async { while stage.client.get(&url).send().await.is_ok() {} };
    tokio::time::timeout(crate::support::SOON, gone).await.expect("gone");
}

#[tokio::test]
async fn a_stopped_sandbox_is_gone() {
    let stage = Stage::instant().await;
    stage.get("/sandbox/stats").await;
    let url = stage.url("/sandbox/stats");
    stage.sandbox.shutdown().await;
    assert!(stage.client.get(url).send().await.expect_err("refused").is_connect());
}
