//! Results that can't arrive are lost money, so few people are asked for until a webhook has come.

use end_to_end::{Kind, LONG, Row, Scene, eventually};
use sandbox::Config;

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(without_a_proof_few_people_are_out, an_hour_of_silence_asks_for_a_new_proof);

fn ocean(range: std::ops::Range<usize>) -> Vec<Row> {
    range.map(|n| Row::ocean(format!("o{n}"))).collect()
}

async fn scene(kind: Kind) -> Scene {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("WEBHOOK_CANARY", "10");
    scene
}

/// Gives the workers other work, and waits for its end. Meanwhile they must send no more to Ocean.
async fn other_work_is_done(scene: &Scene) {
    let others: Vec<Row> = (0..50).map(|n| Row::clodura(format!("c{n}"))).collect();
    scene.submit(&others, &[]).await;
    let done = "SELECT COUNT(*) FROM row_status WHERE provider = 'clodura' AND state IN ('found', 'not_found')";
    scene.until(done, "50").await;
}

async fn without_a_proof_few_people_are_out(kind: Kind) {
    let scene = scene(kind).await;
    let rows = ocean(0..100);
    let batch = scene.submit(&rows, &[]).await;
    let deaf = scene.worker().set("WEBHOOK_PUBLIC_URL", "http://127.0.0.1:1").start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.ocean.webhooks.given_up == 1).await);
    other_work_is_done(&scene).await;
    assert_eq!(scene.sandbox.stats().ocean.accepted_people, 10);
    let status = scene.enqueue(&["status"]).await.with_code(0).stdout;
    assert!(status.contains("WEBHOOK_PUBLIC_URL"), "{status}");
    deaf.stop().await.with_code(0);
    // A day later, with an address that works: the ten people are lost, and all other results arrive.
    scene.db.rows("UPDATE calls SET deadline_at = 0 WHERE deadline_at IS NOT NULL").await;
    scene.worker().until_idle().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &rows, |_, state| state == "expired").await;
    assert_eq!(tally["expired"], 10);
    books_are_closed(&scene).await;
}

async fn an_hour_of_silence_asks_for_a_new_proof(kind: Kind) {
    let scene = scene(kind).await;
    let worker = scene.worker().start().await;
    let first = scene.submit(&ocean(0..30), &[]).await;
    scene.until_finished().await;
    scene.sandbox.hold_webhooks();
    let second = scene.submit(&ocean(30..60), &[]).await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.ocean.accepted_people == 60).await);
    scene.until("SELECT SUM(awaiting) FROM batch_status", "30").await;
    let hour = 3_601_000;
    for sql in [
        format!("UPDATE calls SET sent_at = sent_at - {hour}"),
        format!(
            "UPDATE provider_gates SET canary_proved_at = canary_proved_at - {hour},
                webhook_at = webhook_at - {hour}"
        ),
    ] {
        scene.db.rows(&sql).await;
    }
    eventually("the silence is noticed", || async {
        scene.log().contains("no webhook of Ocean came for an hour").then_some(())
    })
    .await;
    let third = scene.submit(&ocean(60..100), &[]).await;
    // A new small request brings the proof, not the earlier request whose webhook may be lost.
    assert!(scene.sandbox.wait_for(LONG, |s| s.ocean.accepted_people == 70).await);
    other_work_is_done(&scene).await;
    assert_eq!(scene.sandbox.stats().ocean.accepted_people, 70);
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    for (batch, rows) in [(first, 0..30), (second, 30..60), (third, 60..100)] {
        equals_expected(&scene, &batch.id, &ocean(rows), no_row).await;
    }
    books_are_closed(&scene).await;
}
