//! Requests of unknown outcome: they may or may not have been accepted.

use std::time::Duration;

use end_to_end::{Kind, LONG, Row, Scene, eventually};
use sandbox::{Config, Endpoint, Provider, ScriptedResponse, Stats};

use crate::checks::{books_are_closed, equals_expected, no_row, spent};

on_both!(
    taken_and_dropped_is_settled_by_its_webhook,
    never_taken_expires_and_is_not_sent_again,
    with_unknown_grace_it_is_sent_again,
    both_charges_of_a_repeat_are_in_the_books,
    a_machine_that_slept_before_sending_does_not_send,
);

fn people() -> Vec<Row> {
    (0..6).map(|n| Row::ocean(format!("o{n}"))).collect()
}

fn dropped(accept: bool) -> Vec<ScriptedResponse> {
    vec![ScriptedResponse { accept, drop: true, ..ScriptedResponse::default() }]
}

const UNKNOWN: &str = "SELECT COUNT(*) FROM call_log WHERE outcome LIKE 'unknown%'";

async fn taken_and_dropped_is_settled_by_its_webhook(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let batch = scene.submit(&people(), &[]).await;
    scene.sandbox.script(Endpoint::OceanReveal, dropped(true));
    scene.sandbox.hold_webhooks();
    let worker = scene.worker().start().await;
    scene.until(UNKNOWN, "1").await;
    scene.until("SELECT COUNT(*) FROM row_status WHERE state = 'awaiting'", "6").await;
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.sandbox.stats().ocean.accepted_requests, 1);
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
}

async fn never_taken_expires_and_is_not_sent_again(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("RESULT_DEADLINE", "1500ms");
    let batch = scene.submit(&people(), &[]).await;
    scene.sandbox.script(Endpoint::OceanReveal, dropped(false));
    scene.worker().until_idle().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &people(), |_, state| state == "expired").await;
    assert_eq!(tally["expired"], 6);
    let reasons = "SELECT DISTINCT reason FROM row_status";
    assert_eq!(scene.db.column(reasons).await, ["outcome_unknown"]);
    assert_eq!(scene.db.int("SELECT COUNT(*) FROM call_log WHERE kind = 'reveal'").await, 1);
    assert_eq!(scene.sandbox.stats().ocean.accepted_requests, 0);
    books_are_closed(&scene).await;
}

async fn with_unknown_grace_it_is_sent_again(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("UNKNOWN_GRACE", "300ms");
    let batch = scene.submit(&people(), &[]).await;
    scene.sandbox.script(Endpoint::OceanReveal, dropped(false));
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    let calls = "SELECT call_id, COALESCE(repeat_of, ''), people FROM call_log
                 WHERE kind = 'reveal' ORDER BY sent_at, call_id";
    let calls = scene.db.rows(calls).await;
    let (first, repeats) = calls.split_first().unwrap();
    assert_eq!((first[1].as_str(), first[2].as_str()), ("", "6"), "{calls:?}");
    // After an answer that was broken, the next requests may be small.
    assert!(repeats.iter().all(|repeat| repeat[1] == first[0]), "{calls:?}");
    let people: u64 = repeats.iter().map(|repeat| repeat[2].parse::<u64>().unwrap()).sum();
    assert_eq!(people, 6, "{calls:?}");
    assert_eq!(scene.sandbox.stats().ocean.accepted_people, 6);
}

/// The user accepted the risk of a second charge: both charges show, each result is kept once, and nothing hangs.
async fn both_charges_of_a_repeat_are_in_the_books(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("UNKNOWN_GRACE", "300ms");
    let batch = scene.submit(&people(), &[]).await;
    scene.sandbox.script(Endpoint::OceanReveal, dropped(true));
    scene.sandbox.hold_webhooks();
    let worker = scene.worker().start().await;
    let all_twice =
        |s: &Stats| s.ocean.accepted_people == 12 && s.held == s.ocean.accepted_requests;
    assert!(scene.sandbox.wait_for(LONG, all_twice).await);
    let webhooks = scene.sandbox.stats().held.to_string();
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    scene.until("SELECT COUNT(*) FROM webhook_log WHERE outcome IS NOT NULL", &webhooks).await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
    let reserved = "SELECT SUM(credits_reserved) FROM batch_status";
    assert_eq!(scene.db.int(reserved).await, 0, "{}", scene.describe().await);
}

async fn a_machine_that_slept_before_sending_does_not_send(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let batch = scene.submit(&people(), &[]).await;
    let worker =
        scene.worker().set("HEARTBEAT_TIMEOUT", "1m").set("FAILPOINT", "written_sending:stop");
    let worker = worker.start().await;
    let log = worker.process.stderr();
    eventually("it stops", || {
        let stopped = log.text().contains("the process stops");
        async move { stopped.then_some(()) }
    })
    .await;
    // Real time must pass here: a call older than 5 s is not sent.
    tokio::time::sleep(Duration::from_millis(5_600)).await;
    assert_eq!(scene.sandbox.stats().ocean.accepted_requests, 0);
    worker.process.signal("CONT");
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    // A second claim that was under way when the process was stopped is as old.
    let unsent = "SELECT COUNT(*) FROM call_log WHERE outcome LIKE 'unsent%'";
    assert!((1..=2).contains(&scene.db.int(unsent).await), "{}", scene.describe().await);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.sandbox.stats().ocean.accepted_requests, 1);
}
