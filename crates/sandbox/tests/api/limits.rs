//! Rates and quotas, and the counting of requests that don't heed them.

use sandbox::Endpoint;
use serde_json::json;

use crate::support::Stage;

#[tokio::test]
async fn a_window_is_limited_by_rate() {
    let stage = Stage::with(|config| {
        config.ocean.limits.rate_per_second = 0.001;
        config.ocean.limits.burst = 2;
        config.clodura.limits.rate_per_second = 0.001;
    })
    .await;
    for _ in 0..2 {
        assert_eq!(stage.ask_ocean(&["p1"]).await.status, 200);
    }
    let refused = stage.ask_ocean(&["p1"]).await;
    assert_eq!((refused.status, refused.header("x-ratelimit-limit")), (429, "0.001"));
    assert_eq!(refused.header("retry-after"), "1000");
    assert_eq!(stage.ask_clodura("p1").await.status, 200);
    assert_eq!(stage.get("/api/v1/credits").await.status, 429, "all endpoints share the limit");
    stage
        .sandbox
        .merge_config(&json!({"clodura": {"limits": {"send_retry_after": false}}}))
        .expect("valid");
    assert_eq!(stage.ask_clodura("p1").await.header("retry-after"), "");
    assert_eq!(stage.sandbox.stats().ocean.accepted_requests, 2);
}

#[tokio::test]
async fn a_day_is_limited_by_its_quota() {
    let stage = Stage::with(|config| {
        config.ocean.limits.quota = 2;
        config.ocean.limits.quota_window_ms = 86_400_000;
    })
    .await;
    assert_eq!(stage.get("/v2/credits/balance").await.body["dailyLimitRateLeft"], 1);
    assert_eq!(stage.ask_ocean(&["p1"]).await.status, 200);
    let refused = stage.ask_ocean(&["p1"]).await;
    assert_eq!((refused.status, refused.header("x-ratelimit-limit")), (429, "2"));
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((86_000..=86_400).contains(&wait), "{wait}");
    stage
        .sandbox
        .merge_config(&json!({"ocean": {"limits": {"quota_window_ms": 1}}}))
        .expect("valid");
    let next_window = async { while stage.ask_ocean(&["p1"]).await.status != 200 {} };
    tokio::time::timeout(crate::support::SOON, next_window).await.expect("the next window");
}

#[tokio::test]
async fn disobedience_is_counted() {
    let stage = Stage::with(|config| config.ocean.limits.retry_after_tolerance_ms = 0).await;
    let refusal = json!([{"status": 429, "headers": {"Retry-After": "3600"}}]);
    stage.sandbox.script(Endpoint::OceanReveal, serde_json::from_value(refusal).expect("a script"));
    assert_eq!(stage.ask_ocean(&["p1"]).await.status, 429);
    assert_eq!(stage.sandbox.stats().ocean.during_retry_after, 0);
    stage.ask_ocean(&["p1"]).await;
    stage.get("/v2/credits/balance").await;
    assert_eq!(stage.sandbox.stats().ocean.during_retry_after, 2);
    assert_eq!(stage.sandbox.stats().clodura.during_retry_after, 0);
}

#[tokio::test]
async fn what_is_counted_about_requests() {
    let stage = Stage::instant().await;
    for _ in 0..5 {
        stage.ask_ocean(&["p1"]).await;
    }
    stage.get("/v2/credits/balance").await;
    let stats = stage.sandbox.stats();
    assert_eq!(stats.requests[&Endpoint::OceanReveal]["200"], 5);
    assert_eq!(stats.requests[&Endpoint::OceanBalance]["200"], 1);
    assert_eq!((stats.ocean.requests, stats.ocean.accepted_requests), (6, 5));
    assert!((2..=6).contains(&stats.ocean.busiest_second), "{}", stats.ocean.busiest_second);
    assert_eq!(stats.ocean.most_in_flight, 1);
}
