//! `enqueue cancel`: no further calls are sent, and results of sent calls are kept.

use jobs::Provider::Ocean;
use store::{Cancelled, ClaimReveals};

use crate::harness::people::{Options, ocean, oceans};
use crate::harness::{Bench, found, on_both};

on_both!(
    what_is_out_is_still_received,
    shared_people_are_asked_for_the_other_batch,
    people_who_come_back_end,
    a_cancel_that_was_cut_short_is_carried_on,
    cancelling_twice_ends_nothing_more,
    a_waterfall_of_a_cancelled_batch_goes_no_further,
);

async fn what_is_out_is_still_received(b: &Bench) {
    let batch = b.submit(&oceans(1..=5)).await;
    let two = ClaimReveals { calls: 1, people: 2, ..b.ask(Ocean) };
    let call = b.claim_as(two).await.remove(0);
    b.accept(&call).await;
    let cancelled = b.store.batches().cancel(&b.batch(batch).await).await.unwrap();
    assert_eq!(cancelled, Cancelled { rows: 3, out: 2 });
    b.check("cancelled").await;
    assert!(b.claim(Ocean).await.is_empty());
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found", "found", "cancelled", "cancelled", "cancelled"]);
    assert!(b.is_finished(batch).await);
}

async fn shared_people_are_asked_for_the_other_batch(b: &Bench) {
    let first = b.submit(&oceans(1..=3)).await;
    let second = b.submit_with(&oceans(2..=4), Options::priority(-5)).await;
    b.store.batches().cancel(&b.batch(first).await).await.unwrap();
    b.check("cancelled").await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people, ["ocean:o2", "ocean:o3", "ocean:o4"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o2"), found("o3"), found("o4")]).await;
    assert_eq!(b.states(first).await, ["cancelled"; 3]);
    assert_eq!(b.states(second).await, ["found"; 3]);
}

async fn people_who_come_back_end(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.store.batches().cancel(&b.batch(batch).await).await.unwrap();
    assert_eq!(b.states(batch).await, ["sending"; 2]);
    b.store.calls().give_back(call, "suspended".into()).await.unwrap();
    assert_eq!(b.states(batch).await, ["cancelled"; 2]);
    assert!(b.is_finished(batch).await);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_cancel_that_was_cut_short_is_carried_on(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    b.database.run(&format!("UPDATE batches SET cancelled_at = 1 WHERE id = {batch}")).await;
    assert_eq!(b.store.batches().sweep_cancelled_batches().await.unwrap(), 3);
    assert_eq!(b.store.batches().sweep_cancelled_batches().await.unwrap(), 0);
    assert_eq!(b.states(batch).await, ["cancelled"; 3]);
}

async fn cancelling_twice_ends_nothing_more(b: &Bench) {
    let batch = b.submit(&[ocean("o1"), ocean("o1"), ocean("o2")]).await;
    let batch_ref = b.batch(batch).await;
    assert_eq!(b.store.batches().cancel(&batch_ref).await.unwrap().rows, 3);
    assert_eq!(b.store.batches().cancel(&batch_ref).await.unwrap(), Cancelled::default());
}

async fn a_waterfall_of_a_cancelled_batch_goes_no_further(b: &Bench) {
    let batch = b.submit(&[ocean("o1").clodura("c1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.store.batches().cancel(&b.batch(batch).await).await.unwrap();
    b.webhook(&call, vec![crate::harness::not_found("o1")]).await;
    b.check("answered").await;
    assert!(b.claim(jobs::Provider::Clodura).await.is_empty());
    assert!(b.is_finished(batch).await);
}
