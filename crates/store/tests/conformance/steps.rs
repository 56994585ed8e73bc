//! Rows and the steps of their waterfalls: a provider named twice, a cancelled batch taken up again, people who turn
//! out to be one.

use jobs::Provider::{Clodura, Ocean};
use store::RetryStates;

use crate::harness::people::{Who, clodura, linkedin, ocean};
use crate::harness::{Bench, found, not_found, on_both};

on_both!(
    a_provider_named_twice_is_asked_once,
    a_ledger_with_a_provider_named_twice_is_survived,
    a_cancelled_waterfall_goes_on_when_it_is_taken_up_again,
    an_answer_after_the_batch_is_taken_up_again_goes_on,
    a_merge_into_a_found_person_is_shown_at_a_later_step,
    who_gave_way_in_a_merge_does_not_wait_for_ever,
);

const CANCELLED: RetryStates = RetryStates { failed: false, expired: false, cancelled: true };

fn both(n: u32) -> Who {
    ocean(&format!("o{n}")).clodura(&format!("c{n}"))
}

async fn shown_at(b: &Bench, batch: i64) -> Vec<String> {
    let rows = b.shown(batch).await;
    rows.into_iter().map(|row| format!("{} {}", row.provider.unwrap(), row.state)).collect()
}

/// Asks a provider for its only waiting person, and answers 'not found'.
async fn none_at(b: &Bench, provider: jobs::Provider, name: &str) {
    let call = b.claim_one(provider).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found(name)]).await;
    b.check("no number there").await;
}

async fn a_provider_named_twice_is_asked_once(b: &Bench) {
    let batch = b.submit(&[both(1).by(&[Ocean, Clodura, Ocean])]).await;
    none_at(b, Ocean, "o1").await;
    none_at(b, Clodura, "c1").await;
    assert_eq!(shown_at(b, batch).await, ["clodura not_found"]);
    assert!(b.claim(Ocean).await.is_empty());
}

/// An earlier version wrote such a ledger.
async fn a_ledger_with_a_provider_named_twice_is_survived(b: &Bench) {
    let batch = b.submit(&[both(1)]).await;
    let again = "INSERT INTO row_waterfall (batch_id, row_number, step, reveal_id)
                 SELECT batch_id, row_number, 2, reveal_id FROM row_waterfall WHERE step = 0";
    b.database.run(again).await;
    for (provider, name) in [(Ocean, "o1"), (Clodura, "c1")] {
        let call = b.claim_one(provider).await;
        b.accept(&call).await;
        b.webhook(&call, vec![not_found(name)]).await;
    }
    assert_eq!(shown_at(b, batch).await, ["ocean not_found"]);
    assert_eq!(b.count(batch, "not_found").await, 1);
    b.database.run("DELETE FROM row_waterfall WHERE step = 2").await;
    b.database.run("UPDATE batch_rows SET reveal_id = (SELECT reveal_id FROM row_waterfall WHERE step = 1)").await;
    b.database
        .run("UPDATE batch_totals SET not_found = CASE WHEN provider = 'ocean' THEN 0 ELSE 1 END")
        .await;
}

async fn a_cancelled_waterfall_goes_on_when_it_is_taken_up_again(b: &Bench) {
    let batch = b.submit(&[both(1)]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.cancel(batch).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    b.check("answered while cancelled").await;
    assert_eq!(shown_at(b, batch).await, ["clodura cancelled"]);
    let retried = b.store.batches().retry(&b.batch_ref(batch).await, CANCELLED).await.unwrap();
    assert_eq!(retried.rows, 1);
    assert_eq!(b.claim_one(Clodura).await.people, ["clodura:c1"]);
}

async fn an_answer_after_the_batch_is_taken_up_again_goes_on(b: &Bench) {
    let batch = b.submit(&[both(1), clodura("c9")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.cancel(batch).await;
    b.store.batches().retry(&b.batch_ref(batch).await, CANCELLED).await.unwrap();
    b.webhook(&call, vec![not_found("o1")]).await;
    assert_eq!(b.claim(Clodura).await.len(), 2);
}

async fn a_merge_into_a_found_person_is_shown_at_a_later_step(b: &Bench) {
    b.submit(&[linkedin("ada")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("")]).await;
    let batch = b.submit(&[both(1)]).await;
    // A row joins the two identifiers.
    b.submit(&[clodura("c1").linkedin("ada")]).await;
    b.check("merged").await;
    assert_eq!(shown_at(b, batch).await, ["clodura found"]);
    assert!(b.claim(Ocean).await.is_empty() && b.claim(Clodura).await.is_empty());
}

async fn who_gave_way_in_a_merge_does_not_wait_for_ever(b: &Bench) {
    b.submit(&[linkedin("ada")]).await;
    b.submit(&[clodura("c1")]).await;
    b.submit(&[clodura("c1").linkedin("ada")]).await;
    b.check("merged").await;
    let later = b.submit(&[clodura("c1"), linkedin("ada")]).await;
    b.check("named again").await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    let name = call.people[0].rsplit([':', '/']).next().unwrap().to_owned();
    b.webhook(&call, vec![found(&name)]).await;
    assert_eq!(b.states(later).await, ["found"; 2]);
}
