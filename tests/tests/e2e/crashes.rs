//! One crash at each boundary between two durable steps, and the recovery by the next worker.

use end_to_end::{Kind, LONG, Row, Scene, eventually};
use sandbox::{Config, Endpoint, ScriptedResponse, Stats};

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(
    before_anything_was_sent,
    while_the_request_is_out,
    after_the_request_left,
    before_the_answer_is_written_down,
    after_the_answer_is_written_down,
    before_a_stored_webhook_is_acknowledged,
    after_results_were_applied,
    before_a_not_found_is_written_down,
);

/// Rows for one call at each provider. A second call could be under way at the crash, with an unknown state.
fn one_call_each() -> [Vec<Row>; 2] {
    [(0..8).map(|n| Row::ocean(format!("o{n}"))).collect(), vec![Row::clodura("found-c")]]
}

async fn scene(kind: Kind, rows: &[Row]) -> (Scene, String) {
    let mut config = Config::instant();
    config.delivery.attempts = 1_000;
    config.delivery.retry_delay_ms = 50;
    let mut scene = Scene::new(kind, config).await;
    scene.set("HEARTBEAT_TIMEOUT", "1s");
    let batch = scene.submit(rows, &[]).await;
    (scene, batch.id)
}

/// Runs a worker that dies at the failpoint `point`.
async fn dies_at(scene: &Scene, point: &str) {
    let ended = scene.worker().set("FAILPOINT", point).spawn().ended(LONG).await;
    assert_eq!(ended.code, None, "it was to die by a signal\n{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("failpoint {point}")), "{}", ended.stderr);
}

/// Checks that the rows get their true results, and that every person was asked in one accepted request.
async fn all_is_well(scene: &Scene, batch: &str, rows: &[Row]) {
    scene.worker().until_idle().await.with_code(0);
    equals_expected(scene, batch, rows, no_row).await;
    books_are_closed(scene).await;
    let stats = scene.sandbox.stats();
    assert_eq!((stats.ocean.people_asked_again, stats.clodura.people_asked_again), (0, 0));
    assert_eq!(scene.charged_again(), 0);
}

async fn before_anything_was_sent(kind: Kind) {
    for rows in one_call_each() {
        let (mut scene, batch) = scene(kind, &rows).await;
        scene.set("RESULT_DEADLINE", "2s");
        dies_at(&scene, "written_sending").await;
        scene.worker().until_idle().await.with_code(0);
        // The worker can't know whether the call was sent, so it is not sent again.
        let tally = equals_expected(&scene, &batch, &rows, |_, state| state == "expired").await;
        assert_eq!(tally["expired"], rows.len());
        let reasons = "SELECT DISTINCT reason FROM row_status";
        assert_eq!(scene.db.column(reasons).await, ["outcome_unknown"]);
        let stats = scene.sandbox.stats();
        assert_eq!(stats.ocean.accepted_requests + stats.clodura.accepted_requests, 0);
        books_are_closed(&scene).await;
    }
}

/// The next order is accepted and not answered. Its webhook is held back.
fn never_answered(scene: &Scene) {
    let slow =
        ScriptedResponse { accept: true, delay_ms: 60_000, ..ScriptedResponse::new(200, "") };
    scene.sandbox.script(Endpoint::OceanReveal, vec![slow.clone()]);
    scene.sandbox.script(Endpoint::CloduraReveal, vec![slow]);
    scene.sandbox.hold_webhooks();
}

fn one_is_taken(stats: &Stats) -> bool {
    stats.ocean.accepted_requests + stats.clodura.accepted_requests == 1
}

async fn while_the_request_is_out(kind: Kind) {
    for rows in one_call_each() {
        let (scene, batch) = scene(kind, &rows).await;
        never_answered(&scene);
        let mut worker = scene.worker().start().await;
        assert!(scene.sandbox.wait_for(LONG, one_is_taken).await);
        worker.process.kill();
        scene.sandbox.release_webhooks();
        all_is_well(&scene, &batch, &rows).await;
    }
}

/// The process dies by itself, at once, however long the provider takes.
async fn after_the_request_left(kind: Kind) {
    for rows in one_call_each() {
        let (scene, batch) = scene(kind, &rows).await;
        never_answered(&scene);
        dies_at(&scene, "request_left").await;
        assert!(scene.sandbox.wait_for(LONG, one_is_taken).await, "all of it arrived");
        let left =
            "SELECT outcome || ' ' || COALESCE(http_status, 0) FROM call_log WHERE kind = 'reveal'";
        assert_eq!(scene.db.column(left).await, ["sending 0"]);
        scene.sandbox.release_webhooks();
        all_is_well(&scene, &batch, &rows).await;
    }
}

async fn before_the_answer_is_written_down(kind: Kind) {
    for rows in one_call_each() {
        let (scene, batch) = scene(kind, &rows).await;
        scene.sandbox.hold_webhooks();
        dies_at(&scene, "answer_read").await;
        scene.sandbox.release_webhooks();
        all_is_well(&scene, &batch, &rows).await;
    }
}

async fn after_the_answer_is_written_down(kind: Kind) {
    for rows in one_call_each() {
        let (scene, batch) = scene(kind, &rows).await;
        scene.sandbox.hold_webhooks();
        dies_at(&scene, "answer_written").await;
        scene.sandbox.release_webhooks();
        all_is_well(&scene, &batch, &rows).await;
    }
}

async fn before_a_stored_webhook_is_acknowledged(kind: Kind) {
    for rows in one_call_each() {
        let (scene, batch) = scene(kind, &rows).await;
        dies_at(&scene, "inbox_stored").await;
        all_is_well(&scene, &batch, &rows).await;
        // The webhook comes once more, because its sender got no answer.
        let worker = scene.worker().start().await;
        assert!(scene.sandbox.wait_until_idle(LONG).await);
        let twice = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'duplicate'";
        eventually("the second is a duplicate", || async {
            (scene.db.int(twice).await > 0).then_some(())
        })
        .await;
        worker.stop().await.with_code(0);
    }
}

async fn after_results_were_applied(kind: Kind) {
    for rows in one_call_each() {
        let (scene, batch) = scene(kind, &rows).await;
        dies_at(&scene, "applied").await;
        all_is_well(&scene, &batch, &rows).await;
    }
}

/// Clodura's 404 is a result: it must not be lost between being read and being written down.
async fn before_a_not_found_is_written_down(kind: Kind) {
    let mut config = Config::instant();
    config.clodura.not_found_404_rate = 1.0;
    let mut scene = Scene::new(kind, config).await;
    scene.set("HEARTBEAT_TIMEOUT", "1s");
    let rows = [Row::clodura("none-1"), Row::clodura("none-2")];
    let batch = scene.submit(&rows, &[]).await;
    dies_at(&scene, "answer_written").await;
    scene.set("RESULT_DEADLINE", "2s");
    scene.worker().until_idle().await.with_code(0);
    // The answer for the other person may not have come; only then may that row expire.
    let unanswered = "SELECT COUNT(*) FROM call_log WHERE kind = 'reveal' AND http_status IS NULL";
    let unanswered = scene.db.int(unanswered).await;
    let tally = equals_expected(&scene, &batch.id, &rows, |_, state| state == "expired").await;
    let expired = tally.get("expired").copied().unwrap_or(0);
    assert_eq!((tally["not_found"] + expired, expired as i64), (2, unanswered), "{tally:?}");
}
