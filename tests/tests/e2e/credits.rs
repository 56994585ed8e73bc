//! Ceilings are never exceeded, and a cancelled batch makes way for other batches.

use end_to_end::{Kind, LONG, Row, Scene, eventually};
use sandbox::{Config, OceanBody, OceanPlan, Provider};

use crate::checks::{books_are_closed, equals_expected, exported, no_row, spent};

on_both!(
    no_ceiling_is_ever_passed,
    a_legacy_account_is_charged_as_the_ledger_says,
    a_unified_account_is_charged_as_the_ledger_says,
    what_the_ledger_does_not_know_is_unexplained,
    a_ceiling_may_be_raised,
    shared_people_of_a_cancelled_batch_go_on_for_the_other,
    what_was_sent_before_a_cancel_is_kept,
);

fn found(from: usize, n: usize) -> Vec<Row> {
    (from..from + n).map(|n| Row::ocean(format!("found-{n}"))).collect()
}

const CEILING: [&str; 2] = ["--max-credits", "ocean=50"];

async fn no_ceiling_is_ever_passed(kind: Kind) {
    let mut config = Config::instant();
    config.ocean.result_delay_ms = (10, 80);
    let mut scene = Scene::new(kind, config).await;
    scene.set("OCEAN_BATCH_SIZE", "7");
    scene.set("OCEAN_CREDITS_PER_PERSON", "1");
    // Some people are in both batches; one of the two pays for them.
    let (one, two) = (found(0, 120), found(100, 120));
    let (one, two) = tokio::join!(scene.submit(&one, &CEILING), scene.submit(&two, &CEILING));
    let worker = scene.worker().start().await;
    let passed =
        "SELECT COUNT(*) FROM batch_spend WHERE credits_reserved + credits_spent > max_credits";
    let spent_all =
        "SELECT COUNT(*) FROM batch_spend WHERE credits_spent = 50 AND credits_reserved = 0";
    eventually("both ceilings are reached", || async {
        assert_eq!(scene.db.int(passed).await, 0, "{}", scene.describe().await);
        (scene.db.int(spent_all).await == 2).then_some(())
    })
    .await;
    worker.stop().await.with_code(0);
    assert_eq!(scene.charged(Provider::Ocean), 100);
    scene.worker().until_idle().await.with_code(4);
    assert_eq!(scene.charged(Provider::Ocean), 100);
    let held = "SELECT COUNT(*) FROM row_status WHERE state = 'held' AND reason = 'batch_ceiling'";
    assert!(scene.db.int(held).await > 0);
    assert_ne!(one.id, two.id);
}

async fn a_ceiling_may_be_raised(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("OCEAN_CREDITS_PER_PERSON", "1");
    let rows = found(0, 80);
    let batch = scene.submit(&rows, &CEILING).await;
    scene.worker().until_idle().await.with_code(4);
    assert_eq!(spent(&scene, "ocean").await, 50);
    let raise = ["resume", "--batch", &batch.id, "--max-credits", "ocean=300"];
    scene.enqueue(&raise).await.with_code(0);
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    assert_eq!((spent(&scene, "ocean").await, scene.charged(Provider::Ocean)), (80, 80));
}

async fn shared_people_of_a_cancelled_batch_go_on_for_the_other(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let (one, two) = (found(0, 60), found(30, 60));
    let first = scene.submit(&one, &[]).await;
    let second = scene.submit(&two, &[]).await;
    assert_eq!(second.number("shared"), 30);
    scene.enqueue(&["cancel", &first.id]).await.with_code(0);
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &second.id, &two, no_row).await;
    let cancelled = exported(&scene, &first.id).await;
    assert!(cancelled.iter().all(|row| row["reveal_state"] == "cancelled"));
    books_are_closed(&scene).await;
    assert_eq!(scene.sandbox.stats().ocean.people, 60);
    let paid = "SELECT credits_spent FROM batch_spend WHERE batch_id = ";
    assert_eq!(scene.db.text(&format!("{paid}'{}'", second.id)).await, "60");
}

async fn what_was_sent_before_a_cancel_is_kept(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("OCEAN_BATCH_SIZE", "10");
    scene.set("WEBHOOK_CANARY", "10");
    scene.sandbox.hold_webhooks();
    let rows = found(0, 40);
    let batch = scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.held == 1).await);
    scene.until("SELECT awaiting FROM batch_status", "10").await;
    scene.enqueue(&["cancel", &batch.id]).await.with_code(0);
    scene.until("SELECT cancelled FROM batch_status", "30").await;
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &rows, |_, state| state == "cancelled").await;
    assert_eq!((tally["cancelled"], tally["found"]), (30, 10));
    assert_eq!(scene.sandbox.stats().ocean.people, 10);
}

async fn a_legacy_account_is_charged_as_the_ledger_says(kind: Kind) {
    for (body, reports) in
        [(OceanBody::Phones, true), (OceanBody::Results, true), (OceanBody::Phones, false)]
    {
        people_of_several_numbers(kind, OceanPlan::Legacy, body, reports).await;
    }
}

async fn a_unified_account_is_charged_as_the_ledger_says(kind: Kind) {
    for (body, reports) in
        [(OceanBody::Phones, true), (OceanBody::Results, true), (OceanBody::Results, false)]
    {
        people_of_several_numbers(kind, OceanPlan::Unified, body, reports).await;
    }
}

/// The real charges never exceed a ceiling, and the sandbox's books agree with the ledger.
async fn people_of_several_numbers(kind: Kind, plan: OceanPlan, body: OceanBody, reports: bool) {
    let (ceiling, price) = match plan {
        OceanPlan::Legacy => (60, 1),
        OceanPlan::Unified => (600, 10),
    };
    let mut config = Config::instant();
    config.ocean.plan = plan;
    config.ocean.body = body;
    config.ocean.reports_credits_used = reports;
    config.ocean.hit_rate = 0.9;
    config.ocean.several_rate = 0.7;
    let mut scene = Scene::new(kind, config).await;
    scene.set("OCEAN_BATCH_SIZE", "7");
    let rows: Vec<Row> = (0..200).map(|n| Row::ocean(format!("p{n}"))).collect();
    let batch = scene.submit(&rows, &["--max-credits", &format!("ocean={ceiling}")]).await;
    scene.worker().until_idle().await.with_code(4);
    let charged = scene.charged(Provider::Ocean);
    assert_eq!(spent(&scene, "ocean").await, charged, "{plan:?} {body:?}");
    assert!(charged <= ceiling, "{charged} of {ceiling}");
    assert!(charged > ceiling - 3 * price, "{charged} of {ceiling}: as far as three numbers fit");
    let raise = ["resume", "--batch", &batch.id, "--max-credits", "ocean=100000"];
    scene.enqueue(&raise).await.with_code(0);
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean), "{plan:?} {body:?}");
}

async fn what_the_ledger_does_not_know_is_unexplained(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let read = "SELECT COUNT(*) FROM balance_readings WHERE provider = 'ocean'";
    let worker = scene.worker().start().await;
    scene.until(read, "1").await;
    worker.stop().await.with_code(0);
    let none = scene.enqueue(&["reconcile"]).await.with_code(0);
    assert!(none.stderr.contains("asked for its balance twice"), "{}", none.stderr);
    scene.submit(&found(0, 30), &[]).await;
    let worker = scene.worker().start().await;
    scene.until(read, "2").await;
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    // Another program used the account.
    scene.sandbox.top_up(Provider::Ocean, -7);
    let worker = scene.worker().start().await;
    scene.until(read, "3").await;
    worker.stop().await.with_code(0);
    let reconciled = scene.enqueue(&["reconcile", "--json"]).await.with_code(0);
    let days: serde_json::Value = serde_json::from_str(&reconciled.stdout).unwrap();
    let day = &days[0];
    assert_eq!(
        (&day["provider"], &day["ledger"], &day["account"]),
        (&"ocean".into(), &30.into(), &37.into())
    );
    assert_eq!(day["unexplained"], 7);
    let table = scene.enqueue(&["reconcile"]).await.with_code(0);
    assert!(table.stdout.contains("unexplained"), "{}", table.stdout);
    assert!(table.stderr.contains("7 credits are unexplained"), "{}", table.stderr);
}
