//! A bad id fails its own row and no other, and finding it costs few requests.

use end_to_end::{Kind, Row, Scene};
use sandbox::{Config, Locate};

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(named_by_its_place, named_by_the_field_only, not_named_at_all, a_404_for_one_of_many);

/// A thousand people, three of them bad, anywhere.
fn people(bad: &str) -> Vec<Row> {
    let id = |n| match n {
        3 | 497 | 801 => format!("{bad}{n}"),
        _ => format!("o{n}"),
    };
    (0..1_000).map(|n| Row::ocean(id(n))).collect()
}

async fn three_fail(kind: Kind, locate: Locate, bad: &str, most: i64) {
    let mut config = Config::instant();
    config.ocean.locate = locate;
    let scene = Scene::new(kind, config).await;
    let rows = people(bad);
    let batch = scene.submit(&rows, &[]).await;
    scene.worker().until_idle().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &rows, no_row).await;
    assert_eq!(tally["failed"], 3, "{tally:?}");
    books_are_closed(&scene).await;
    let requests = scene.db.int("SELECT COUNT(*) FROM call_log WHERE kind = 'reveal'").await;
    let refused =
        scene.db.int("SELECT COUNT(*) FROM call_log WHERE http_status IN (404, 422)").await;
    println!(
        "{kind:?}: {locate:?} {bad}: {requests} requests, {refused} refused, for 3 bad of 1,000"
    );
    assert!(requests <= most, "{requests} requests, {most} would do");
    let stats = scene.sandbox.stats().ocean;
    assert_eq!((stats.people, stats.people_asked_again), (997, 0));
}

async fn named_by_its_place(kind: Kind) {
    three_fail(kind, Locate::Element, "bad-", 8).await;
}

async fn named_by_the_field_only(kind: Kind) {
    three_fail(kind, Locate::Field, "bad-", 70).await;
}

async fn not_named_at_all(kind: Kind) {
    three_fail(kind, Locate::Absent, "bad-", 70).await;
}

async fn a_404_for_one_of_many(kind: Kind) {
    three_fail(kind, Locate::Element, "gone-", 70).await;
}
