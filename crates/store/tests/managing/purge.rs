//! `enqueue purge`: what is finished and old is forgotten, what is under way is not.

use jobs::Provider::Ocean;
use store::Purged;

use crate::harness::people::{ocean, oceans};
use crate::harness::{Bench, HOUR, found, on_both};

on_both!(
    old_batches_are_forgotten_with_their_people,
    young_and_open_ones_stay,
    people_whom_another_batch_shows_stay,
    a_late_answer_finds_nobody_and_harms_nothing,
);

async fn finish(b: &Bench, people: std::ops::RangeInclusive<u32>) -> (i64, store::ClaimedCall) {
    let batch = b.submit(&oceans(people.clone())).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, people.map(|n| found(&format!("o{n}"))).collect()).await;
    (batch, call)
}

async fn rows_in(b: &Bench, table: &str) -> i64 {
    b.database.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

async fn old_batches_are_forgotten_with_their_people(b: &Bench) {
    finish(b, 1..=3).await;
    b.advance(48 * HOUR).await;
    let purged = b.store.purge(24 * HOUR).await.unwrap();
    assert_eq!(purged, Purged { batches: 1, reveals: 3, calls: 1, webhooks: 1 });
    for table in [
        "batches",
        "batch_rows",
        "batch_totals",
        "reveals",
        "phones",
        "calls",
        "call_reveals",
        "webhook_inbox",
    ] {
        assert_eq!(rows_in(b, table).await, 0, "{table}");
    }
    let again = b.submit(&[ocean("o1")]).await;
    assert_eq!(b.states(again).await, ["queued"]);
}

async fn young_and_open_ones_stay(b: &Bench) {
    let out = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let waiting = b.submit(&oceans(7..=7)).await;
    b.advance(20 * HOUR).await;
    let (young, _) = {
        b.store.pause(Ocean).await.unwrap();
        b.store.resume(Ocean).await.unwrap();
        (b.submit(&oceans(1..=1)).await, ())
    };
    assert_eq!(b.store.purge(HOUR).await.unwrap(), Purged::default());
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.store.purge(HOUR).await.unwrap(), Purged::default());
    assert_eq!(b.states(out).await, ["found"; 2]);
    assert_eq!(b.states(young).await, ["found"]);
    assert_eq!(b.states(waiting).await, ["queued"]);
}

async fn people_whom_another_batch_shows_stay(b: &Bench) {
    finish(b, 1..=2).await;
    b.advance(48 * HOUR).await;
    let young = b.submit(&oceans(1..=1)).await;
    let purged = b.store.purge(24 * HOUR).await.unwrap();
    assert_eq!((purged.batches, purged.reveals, purged.calls), (1, 1, 0));
    b.check("purged").await;
    let shown = b.shown(young).await;
    assert_eq!((shown[0].state.as_str(), shown[0].phones.as_deref()), ("found", Some("+45 o1")));
}

async fn a_late_answer_finds_nobody_and_harms_nothing(b: &Bench) {
    let first = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.advance(25 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(first).await, ["expired"]);
    b.advance(48 * HOUR).await;
    let second = b.submit(&oceans(1..=1)).await;
    assert_eq!(b.store.purge(24 * HOUR).await.unwrap().batches, 1);
    // The payer is gone, the person is still shown by another batch.
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(second).await, ["found"]);
}
