//! All workers together ask a refusing provider as seldom as possible, and its refusals use up
//! no attempts of any person.

use end_to_end::{Kind, LONG, OCEAN_KEY, Row, Scene, eventually};
use sandbox::{Config, Endpoint, ScriptedResponse, Stats};
use serde_json::json;

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(
    pending_credits_are_probed_by_one_person_at_a_time,
    a_webhook_that_frees_credits_ends_the_wait,
    an_empty_account_costs_balance_checks_only,
    retry_after_holds_for_all_workers,
    a_day_s_quota_is_sat_out,
    two_workers_share_one_rate,
    a_refused_key_stops_the_provider_until_it_is_another,
    a_probe_whose_worker_died_is_tried_again,
    a_probe_that_was_answered_after_its_worker_died_opens_the_gate,
);

const PENDING: &str =
    "Credits might be insufficient because of pending phone verifications. Please try again later.";
const ATTEMPTS: &str = "SELECT COALESCE(MAX(attempts), 0) FROM row_status";

fn pending(times: u32) -> ScriptedResponse {
    ScriptedResponse { times, ..ScriptedResponse::new(402, json!({"detail": PENDING})) }
}

fn ocean(n: usize) -> Vec<Row> {
    (0..n).map(|n| Row::ocean(format!("o{n}"))).collect()
}

fn clodura(n: usize) -> Vec<Row> {
    (0..n).map(|n| Row::clodura(format!("c{n}"))).collect()
}

fn answers(stats: &Stats, endpoint: Endpoint) -> u64 {
    stats.requests.get(&endpoint).map_or(0, |by_status| by_status.values().sum())
}

/// The time at which each request was sent, by the ledger, in milliseconds since midnight.
async fn sent(scene: &Scene, wanted: &str) -> Vec<i64> {
    let sql = format!("SELECT sent_at FROM call_log WHERE {wanted} ORDER BY sent_at, call_id");
    let times = scene.db.column(&sql).await;
    let part = |text: &str, at: usize, to: usize| text[at..to].parse::<i64>().unwrap();
    let of_day = |t: &String| {
        ((part(t, 11, 13) * 60 + part(t, 14, 16)) * 60 + part(t, 17, 19)) * 1000 + part(t, 20, 23)
    };
    times.iter().map(of_day).collect()
}

async fn pending_credits_are_probed_by_one_person_at_a_time(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("GATE_BASE", "200ms");
    let batch = scene.submit(&ocean(50), &[]).await;
    scene.sandbox.script(Endpoint::OceanReveal, vec![pending(3)]);
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &ocean(50), no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.db.int(ATTEMPTS).await, 0);
    let people = "SELECT people FROM call_log WHERE kind = 'reveal' ORDER BY sent_at, call_id";
    let people = scene.db.column(people).await;
    assert_eq!(people[..4], ["50", "1", "1", "1"], "the first, then probes");
    let times = sent(&scene, "kind = 'reveal'").await;
    assert!(times[1] - times[0] >= 200 && times[2] - times[1] >= 400, "{times:?}");
    println!("{kind:?}: pending: {} reveal requests for 50 people and 3 refusals", people.len());
}

async fn a_webhook_that_frees_credits_ends_the_wait(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("GATE_BASE", "1h");
    scene.set("OCEAN_BATCH_SIZE", "20");
    scene.sandbox.hold_webhooks();
    let first = scene.submit(&ocean(20), &[]).await;
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.held == 1).await);
    scene.sandbox.script(Endpoint::OceanReveal, vec![pending(1)]);
    let others: Vec<Row> = (100..120).map(|n| Row::ocean(format!("o{n}"))).collect();
    let second = scene.submit(&others, &[]).await;
    let gate = "SELECT gate || ' ' || gate_reason FROM provider_status WHERE provider = 'ocean'";
    scene.until(gate, "closed credits_pending").await;
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &first.id, &ocean(20), no_row).await;
    equals_expected(&scene, &second.id, &others, no_row).await;
    let refused = "SELECT COUNT(*) FROM call_log WHERE http_status = 402";
    assert_eq!(scene.db.int(refused).await, 1, "no probe was wasted");
}

async fn an_empty_account_costs_balance_checks_only(kind: Kind) {
    let mut config = Config::instant();
    (config.ocean.one_time, config.ocean.recurrent) = (0, 0);
    let scene = Scene::new(kind, config).await;
    let batch = scene.submit(&ocean(30), &[]).await;
    let worker = scene.worker().start().await;
    let checks = |s: &Stats| answers(s, Endpoint::OceanBalance);
    assert!(scene.sandbox.wait_for(LONG, |s| checks(s) >= 4).await);
    let reveals = answers(&scene.sandbox.stats(), Endpoint::OceanReveal);
    assert!(reveals <= 1, "{reveals} reveals of an empty account");
    let held = "SELECT held FROM batch_status";
    scene.until(held, "30").await;
    scene.sandbox.top_up(sandbox::Provider::Ocean, 1_000);
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &ocean(30), no_row).await;
    assert_eq!(scene.db.int(ATTEMPTS).await, 0);
    let stats = scene.sandbox.stats();
    println!(
        "{kind:?}: empty: {} balance checks, {} reveals, {} of them before the top-up",
        checks(&stats),
        answers(&stats, Endpoint::OceanReveal),
        reveals,
    );
}

async fn retry_after_holds_for_all_workers(kind: Kind) {
    let mut config = Config::instant();
    // Requests may leave until the refusal is written down, which takes time on a slow disk.
    config.clodura.limits.retry_after_tolerance_ms = 1_000;
    let mut scene = Scene::new(kind, config).await;
    scene.set("CLODURA_RATE", "50/s");
    let batch = scene.submit(&clodura(150), &[]).await;
    let mut limited = ScriptedResponse::new(429, json!({"message": "slow down"}));
    limited.headers.insert("retry-after".into(), "3".into());
    let fine = |times| ScriptedResponse {
        accept: true,
        times,
        ..ScriptedResponse::new(200, json!({"trackingId": null}))
    };
    scene.sandbox.script(Endpoint::CloduraReveal, vec![fine(20), limited]);
    let first = scene.worker().start().await;
    let second = scene.worker().elsewhere().start().await;
    scene.until_finished().await;
    first.stop().await.with_code(0);
    second.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &clodura(150), no_row).await;
    assert_eq!(scene.db.int(ATTEMPTS).await, 0);
    let stats = scene.sandbox.stats().clodura;
    println!(
        "{kind:?}: 429: {} requests, {} during Retry-After",
        stats.requests, stats.during_retry_after
    );
    assert_eq!(stats.during_retry_after, 0);
}

/// Ocean counts requests by the day, including balance requests. No request is sent when the quota is used up.
async fn a_day_s_quota_is_sat_out(kind: Kind) {
    let mut config = Config::instant();
    config.ocean.limits.quota = 4;
    let mut scene = Scene::new(kind, config).await;
    scene.set("OCEAN_BATCH_SIZE", "10");
    scene.submit(&ocean(100), &[]).await;
    let first = scene.worker().start().await;
    let gate = "SELECT gate || ' ' || gate_reason FROM provider_status WHERE provider = 'ocean'";
    scene.until(gate, "closed rate_limited").await;
    scene.until("SELECT sending + awaiting FROM batch_status", "0").await;
    let tomorrow =
        "SELECT COUNT(*) FROM provider_status p JOIN call_log c ON c.provider = p.provider
        WHERE c.http_status = 429 AND SUBSTR(p.gate_until, 1, 10) > SUBSTR(c.sent_at, 1, 10)";
    assert!(scene.db.int(tomorrow).await >= 1, "{}", scene.describe().await);
    let asked = scene.sandbox.stats().ocean.requests;
    // Other work goes on meanwhile: by this worker, by a second one, and by a newly started one.
    let second = scene.worker().elsewhere().start().await;
    scene.submit(&clodura(30), &[]).await;
    let done = "SELECT COUNT(*) FROM row_status WHERE provider = 'clodura' AND state IN ('found', 'not_found')";
    scene.until(done, "30").await;
    first.stop().await.with_code(0);
    let third = scene.worker().start().await;
    scene.submit(&[Row::clodura("found-1"), Row::ocean("found-2")], &[]).await;
    scene.until(done, "31").await;
    let stats = scene.sandbox.stats().ocean;
    assert_eq!(stats.requests, asked, "nothing is asked once the gate is closed");
    assert_eq!(scene.db.int(ATTEMPTS).await, 0);
    let waiting =
        "SELECT COUNT(*) FROM row_status WHERE state = 'retrying' AND reason LIKE 'rate_limited%'";
    assert_eq!(scene.db.int(waiting).await, 101 - i64::try_from(stats.accepted_people).unwrap());
    let status = scene.enqueue(&["status"]).await.with_code(0).stdout;
    assert!(status.contains("rate limited; next try in 23h"), "{status}");
    second.stop().await.with_code(0);
    third.stop().await.with_code(0);
}

async fn two_workers_share_one_rate(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("CLODURA_RATE", "20/s");
    let batch = scene.submit(&clodura(70), &[]).await;
    let first = scene.worker().start().await;
    let second = scene.worker().elsewhere().start().await;
    scene.until_finished().await;
    first.stop().await.with_code(0);
    second.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &clodura(70), no_row).await;
    // Measured by the ledger's clock, because on a busy machine the sandbox receives requests with delays.
    let times = sent(&scene, "provider = 'clodura'").await;
    let busiest = times
        .iter()
        .map(|start| times.iter().filter(|t| (*start..*start + 1_000).contains(*t)).count())
        .max()
        .unwrap();
    let seen = scene.sandbox.stats().clodura.busiest_second;
    println!(
        "{kind:?}: 20/s by two workers: {busiest} in the busiest second, {seen} as they arrived"
    );
    assert!(busiest <= 21, "{busiest} requests in a second");
    assert_eq!(scene.charged_again(), 0);
}

async fn a_refused_key_stops_the_provider_until_it_is_another(kind: Kind) {
    let mut config = Config::instant();
    config.ocean.keys = vec!["the right one".into()];
    let scene = Scene::new(kind, config).await;
    let batch = scene.submit(&[ocean(20), clodura(20)].concat(), &[]).await;
    let worker = scene.worker().start().await;
    let gate = "SELECT gate FROM provider_status WHERE provider = 'ocean'";
    scene.until(gate, "closed").await;
    // The other provider is not affected.
    scene.until("SELECT COUNT(*) FROM row_status WHERE provider = 'clodura' AND state IN ('found', 'not_found')", "20").await;
    let stopped = worker.stop().await.with_code(0);
    assert!(stopped.stderr.contains("refuses this set-up"), "{}", stopped.stderr);
    assert!(!stopped.stderr.contains(OCEAN_KEY));
    let reason = "SELECT gate_reason FROM provider_status WHERE provider = 'ocean'";
    let reason = scene.db.text(reason).await;
    assert!(reason.starts_with("misconfigured: ") && reason.contains("not registered"), "{reason}");
    let status = scene.enqueue(&["status"]).await.with_code(0);
    assert!(status.stdout.contains("misconfigured"), "{}", status.stdout);

    let asked = answers(&scene.sandbox.stats(), Endpoint::OceanReveal)
        + answers(&scene.sandbox.stats(), Endpoint::OceanBalance);
    let again = scene.worker().until_idle().await.with_code(4);
    assert!(again.stderr.contains("misconfigured"), "{}", again.stderr);
    let stats = scene.sandbox.stats();
    let asked_again =
        answers(&stats, Endpoint::OceanReveal) + answers(&stats, Endpoint::OceanBalance);
    println!("{kind:?}: wrong key: {asked} requests, {} after a restart", asked_again - asked);
    assert_eq!(asked_again, asked, "a restart asks nothing with the same key");

    scene.worker().set("OCEAN_API_TOKEN", "the right one").until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &[ocean(20), clodura(20)].concat(), no_row).await;
    assert_eq!(scene.db.int(ATTEMPTS).await, 0);
}

/// A worker that has a probe out, which is accepted and never answered.
async fn probing(kind: Kind, people: usize) -> (Scene, String, end_to_end::Worker) {
    let mut config = Config::instant();
    config.delivery.attempts = 1_000;
    config.delivery.retry_delay_ms = 50;
    let mut scene = Scene::new(kind, config).await;
    scene.set("HEARTBEAT_TIMEOUT", "1s");
    let batch = scene.submit(&ocean(people), &[]).await;
    let slow =
        ScriptedResponse { accept: true, delay_ms: 60_000, ..ScriptedResponse::new(200, "") };
    scene.sandbox.script(Endpoint::OceanReveal, vec![pending(1), slow]);
    scene.sandbox.hold_webhooks();
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.ocean.accepted_requests == 1).await);
    let gate = "SELECT gate FROM provider_status WHERE provider = 'ocean'";
    scene.until(gate, "probing").await;
    (scene, batch.id, worker)
}

async fn a_probe_whose_worker_died_is_tried_again(kind: Kind) {
    let (scene, batch, mut worker) = probing(kind, 30).await;
    worker.process.kill();
    let worker = scene.worker().start().await;
    // The lost probe's person waits for a webhook; the other people are not held up.
    assert!(scene.sandbox.wait_for(LONG, |s| s.ocean.people == 30).await);
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch, &ocean(30), no_row).await;
    assert_eq!(scene.sandbox.stats().ocean.people_asked_again, 0);
    books_are_closed(&scene).await;
}

async fn a_probe_that_was_answered_after_its_worker_died_opens_the_gate(kind: Kind) {
    // No other person waits, so that no other request is under way when the worker dies.
    let (scene, batch, mut worker) = probing(kind, 1).await;
    scene.sandbox.release_webhooks();
    let settled = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'applied'";
    eventually("the probe's webhook is applied", || async {
        (scene.db.int(settled).await > 0).then_some(())
    })
    .await;
    worker.process.kill();
    let worker = scene.worker().start().await;
    scene.until("SELECT gate FROM provider_status WHERE provider = 'ocean'", "open").await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch, &ocean(1), no_row).await;
    assert_eq!(scene.sandbox.stats().ocean.people_asked_again, 0);
}
