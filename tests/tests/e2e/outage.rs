//! Providers with partial outages, and proxies that answer in their place: few people are at risk, and recovery is automatic.

use end_to_end::{Kind, LONG, Row, Scene};
use sandbox::{Config, Endpoint, ScriptedResponse, Stats};
use serde_json::json;

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(
    a_partial_outage_leaves_few_people_unknown,
    a_page_in_place_of_an_answer_is_not_paid_for_by_all,
    a_challenge_page_is_waited_out,
    a_404_for_all_is_no_person_s_result,
    a_worker_without_a_key_shuts_nothing,
);

fn ocean(n: usize) -> Vec<Row> {
    (0..n).map(|n| Row::ocean(format!("o{n}"))).collect()
}

fn reveals(stats: &Stats) -> u64 {
    let by_status = stats.requests.get(&Endpoint::OceanReveal);
    by_status.map_or(0, |by_status| by_status.values().sum())
}

/// Balance requests succeed, and orders are answered with 502, whether or not they were accepted.
async fn a_partial_outage_leaves_few_people_unknown(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let outage = json!({"ocean": {"faults": {"error_before_rate": 1.0, "error_status": 502}}});
    scene.sandbox.merge_config(&outage).unwrap();
    let rows = ocean(20_000);
    let batch = scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    // Several probes on probation, each after a balance request.
    assert!(scene.sandbox.wait_for(LONG, |s| reveals(s) >= 12).await);
    let unknown = "SELECT COUNT(*) FROM row_status WHERE reason LIKE 'outcome unknown%'";
    let at_risk = scene.db.int(unknown).await;
    println!(
        "{kind:?}: {at_risk} of 20,000 people unknown after {} requests",
        reveals(&scene.sandbox.stats())
    );
    assert!(at_risk <= 4 * 500 + 40, "{at_risk} people are unknown");
    let over = json!({"ocean": {"faults": {"error_before_rate": 0.0}}});
    scene.sandbox.merge_config(&over).unwrap();
    scene.until("SELECT gate FROM provider_status WHERE provider = 'ocean'", "open").await;
    scene.until("SELECT queued + sending + retrying + held FROM batch_status", "0").await;
    let stats = scene.sandbox.stats();
    assert!(stats.ocean.people >= 17_900, "{}", stats.ocean.people);
    assert_eq!(stats.ocean.people_asked_again, 0);
    let log = scene.log();
    assert!(log.contains("gate closed") && log.contains("gate opened"), "both are logged");
    worker.stop().await.with_code(0);
    assert_eq!(batch.number("rows"), 20_000);
}

async fn a_page_in_place_of_an_answer_is_not_paid_for_by_all(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("CLODURA_MAX_IN_FLIGHT", "4");
    // Orders are accepted in spite of the page, and no webhook is sent for them.
    scene.sandbox.hold_webhooks();
    let page = "<!doctype html><html><body>We are back soon</body></html>";
    let page = ScriptedResponse { times: 10_000, ..ScriptedResponse::new(200, page) };
    scene.sandbox.script(Endpoint::CloduraReveal, vec![page]);
    let rows: Vec<Row> = (0..2_000).map(|n| Row::clodura(format!("c{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    let pages = "SELECT COUNT(*) FROM call_log WHERE outcome LIKE 'accepted perhaps%'";
    scene.until(&format!("SELECT CASE WHEN ({pages}) >= 6 THEN 1 ELSE 0 END"), "1").await;
    let asked = scene.db.int(pages).await;
    assert!(asked <= 4 + 10, "{asked} people may have been paid for");
    scene.sandbox.clear_script(Endpoint::CloduraReveal);
    scene.sandbox.release_webhooks();
    let done = "SELECT queued + sending + retrying + held FROM batch_status";
    scene.until(done, "0").await;
    worker.stop().await.with_code(0);
    let at_risk = scene.db.int("SELECT awaiting FROM batch_status").await;
    assert!(at_risk <= 4 + 12, "{at_risk}");
    assert_eq!(scene.sandbox.stats().clodura.people_asked_again, 0);
    assert_eq!(batch.number("rows"), 2_000);
}

async fn a_challenge_page_is_waited_out(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let page = "<!DOCTYPE html><title>Just a moment...</title>";
    let mut challenge = ScriptedResponse { times: 7, ..ScriptedResponse::new(403, page) };
    challenge.headers.insert("cf-mitigated".into(), "challenge".into());
    scene.sandbox.script(Endpoint::OceanReveal, vec![challenge]);
    let batch = scene.submit(&ocean(30), &[]).await;
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &ocean(30), no_row).await;
    books_are_closed(&scene).await;
    assert!(!scene.log().contains("misconfigured"));
}

/// An endpoint that has moved: its 404s look as if no person had a number.
async fn a_404_for_all_is_no_person_s_result(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("CLODURA_RATE", "1000/s");
    let moved = json!({"message": "Cannot POST /api/v1/search/people/phone/match"});
    let moved = ScriptedResponse { times: 100_000, ..ScriptedResponse::new(404, moved) };
    scene.sandbox.script(Endpoint::CloduraReveal, vec![moved]);
    let rows: Vec<Row> = (0..300).map(|n| Row::clodura(format!("c{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    let closed =
        "SELECT COUNT(*) FROM provider_status WHERE gate_reason LIKE 'everything_refused%'";
    scene.until(closed, "1").await;
    // An accepted order vouches for the 404s that are written down after it.
    scene.until("SELECT sending FROM batch_status", "0").await;
    assert_eq!(scene.db.int("SELECT not_found FROM batch_status").await, 0);
    scene.sandbox.clear_script(Endpoint::CloduraReveal);
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
}

/// Each worker does the work that it can. No worker takes another's work or closes a gate.
async fn a_worker_without_a_key_shuts_nothing(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let able = scene.worker().start().await;
    let keyless = scene.worker().elsewhere().without("OCEAN_API_TOKEN").start().await;
    let deaf = scene.worker().elsewhere().without("WEBHOOK_PUBLIC_URL").start().await;
    let rows: Vec<Row> =
        [ocean(300), (0..40).map(|n| Row::clodura(format!("c{n}"))).collect()].concat();
    let batch = scene.submit(&rows, &[]).await;
    scene.until_finished().await;
    // Without a webhook URL Clodura is asked without its partners.
    let without_partners = |row: &Row, state: &str| row.ocean.is_empty() && state == "not_found";
    equals_expected(&scene, &batch.id, &rows, without_partners).await;
    let gate = "SELECT gate FROM provider_status WHERE provider = 'ocean'";
    assert_eq!(scene.db.text(gate).await, "open");
    able.stop().await.with_code(0);
    let more = scene.submit(&[Row::ocean("found-1")], &[]).await;
    let reason =
        format!("SELECT state || ' ' || reason FROM row_status WHERE batch_id = '{}'", more.id);
    scene.until(&reason, "held no_webhook_url").await;
    deaf.stop().await.with_code(0);
    scene.until(&reason, "held no_key").await;
    let able = scene.worker().start().await;
    scene.until_finished().await;
    keyless.stop().await.with_code(0);
    able.stop().await.with_code(0);
    assert_eq!(scene.sandbox.stats().ocean.people_asked_again, 0);
}
