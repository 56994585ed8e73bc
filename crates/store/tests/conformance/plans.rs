//! Plans that charge by the number: reservations, charges, and when a batch is at its ceiling.

use std::sync::Arc;

use jobs::Provider::Ocean;
use jobs::outcome::{Finding, PersonResult, Phone};
use jobs::{CallId, Credits, PerPerson, Tariff};
use store::{ClaimReveals, ClaimedCall, Delivery};
use tokio::sync::Barrier;

use crate::harness::people::{Options, oceans};
use crate::harness::{Bench, found, not_found, on_both, result};

on_both!(
    a_person_with_several_numbers_never_passes_a_ceiling,
    as_many_numbers_as_a_person_had_are_reserved_for,
    full_is_decided_by_the_current_price,
    a_result_during_a_claim_leaves_no_batch_full,
    what_was_used_is_booked,
    a_second_body_books_what_is_new,
    a_plan_that_is_set_is_what_numbers_cost,
);

/// A claim by a worker whose price follows the plan.
fn auto(b: &Bench) -> ClaimReveals {
    ClaimReveals { price: PerPerson::Auto, ..b.ask(Ocean) }
}

async fn plan(b: &Bench, tariff: Tariff) {
    let reported =
        format!("UPDATE provider_gates SET tariff = '{tariff}' WHERE provider = 'ocean'");
    b.database.run(&reported).await;
}

/// A result with this many numbers for a person.
fn with(person: &str, numbers: usize) -> PersonResult {
    let number = |n| {
        let number = format!("+45{n:08}");
        Phone::new(number.clone(), Some(number), None, None)
    };
    result(person, Finding::Found { phones: (0..numbers).map(number).collect(), credits: None })
}

async fn deliver(b: &Bench, call: &CallId, results: Vec<PersonResult>, used: Option<i64>) {
    let used = used.map(Credits::whole);
    let delivery = Delivery::new(Ocean, call.to_string(), None, results, used);
    b.store.results().settle(vec![delivery], &b.policy).await.unwrap();
}

async fn spent(b: &Bench) -> (i64, i64) {
    let sql = "SELECT CAST(SUM(credits_spent) AS BIGINT), CAST(SUM(credits_reserved) AS BIGINT) FROM batch_spend";
    b.database.one(sql).await
}

async fn only(b: &Bench, ask: ClaimReveals) -> ClaimedCall {
    let mut calls = b.claim_as(ask).await;
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

async fn a_person_with_several_numbers_never_passes_a_ceiling(b: &Bench) {
    plan(b, Tariff::Unified).await;
    let batch = b.submit_with(&oceans(1..=10), Options::ceiling(Ocean, 100)).await;
    let call = only(b, auto(b)).await;
    assert_eq!(call.people.len(), 3, "30 credits for each");
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![with("o1", 3), with("o2", 3), not_found("o3")], None).await;
    assert_eq!(spent(b).await, (60, 0));
    let call = only(b, auto(b)).await;
    assert_eq!(call.people, ["ocean:o4"]);
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![with("o4", 1)], None).await;
    let call = only(b, auto(b)).await;
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![with("o5", 3)], None).await;
    assert_eq!(spent(b).await, (100, 0));
    assert!(b.claim_as(auto(b)).await.is_empty());
    assert_eq!(b.count(batch, "held").await, 5);
}

async fn as_many_numbers_as_a_person_had_are_reserved_for(b: &Bench) {
    plan(b, Tariff::Unified).await;
    b.submit(&oceans(1..=2)).await;
    let one = ClaimReveals { people: 1, calls: 1, ..auto(b) };
    let call = only(b, one.clone()).await;
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![with("o1", 5)], None).await;
    assert_eq!(spent(b).await, (50, 0), "the truth, although 30 were reserved");
    only(b, one).await;
    assert_eq!(spent(b).await, (50, 50));
}

async fn full_is_decided_by_the_current_price(b: &Bench) {
    let batch = b.submit_with(&oceans(1..=5), Options::ceiling(Ocean, 5)).await;
    let dear = ClaimReveals { price: PerPerson::Fixed(Credits::whole(20)), ..b.ask(Ocean) };
    assert!(b.claim_as(dear.clone()).await.is_empty());
    assert_eq!(b.count(batch, "held").await, 5);
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people.len(), 5, "one credit for each");
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![not_found("o1"), not_found("o2")], None).await;
    b.submit_with(&oceans(6..=7), Options::ceiling(Ocean, 5)).await;
    assert!(b.claim_as(dear).await.is_empty(), "dearer again");
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

async fn a_result_during_a_claim_leaves_no_batch_full(b: &Bench) {
    for round in 0..12u32 {
        let people = oceans(round * 10 + 1..=round * 10 + 3);
        let batch = b.submit_with(&people, Options::ceiling(Ocean, 1)).await;
        let call = b.claim_one(Ocean).await;
        b.accept(&call).await;
        let barrier = Arc::new(Barrier::new(2));
        let (store, ask, start) = (b.another_store().await, b.ask(Ocean), Arc::clone(&barrier));
        let claim = tokio::spawn(async move {
            start.wait().await;
            store.calls().claim_reveals(ask).await.unwrap()
        });
        barrier.wait().await;
        let first = call.people[0].trim_start_matches("ocean:").to_owned();
        deliver(b, &call.call_id, vec![not_found(&first)], None).await;
        let concurrent = claim.await.unwrap();
        if concurrent.calls.is_empty() {
            let again = b.claim_one(Ocean).await;
            assert_eq!(again.people.len(), 1, "round {round}: there is room again");
        }
        b.cancel(batch).await;
    }
}

async fn what_was_used_is_booked(b: &Bench) {
    plan(b, Tariff::Unified).await;
    b.submit(&oceans(1..=3)).await;
    let call = only(b, auto(b)).await;
    b.accept(&call).await;
    // An unpublished discount: the provider's own figure counts.
    let results = vec![with("o1", 1), with("o2", 2), not_found("o3")];
    deliver(b, &call.call_id, results.clone(), Some(24)).await;
    assert_eq!(spent(b).await, (24, 0));
    let rows = "SELECT CAST(credits AS BIGINT) FROM row_status ORDER BY row_number";
    assert_eq!(b.database.all::<(i64,)>(rows).await, [(8,), (16,), (0,)]);
    deliver(b, &call.call_id, results, Some(24)).await;
    assert_eq!(spent(b).await, (24, 0), "nothing is new in a body that comes twice");
}

async fn a_second_body_books_what_is_new(b: &Bench) {
    plan(b, Tariff::Unified).await;
    b.submit(&oceans(1..=3)).await;
    let call = only(b, auto(b)).await;
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![with("o1", 1)], Some(10)).await;
    // The second webhook states the total cost of the request so far, the third one only its own cost.
    deliver(b, &call.call_id, vec![with("o1", 1), with("o2", 2)], Some(30)).await;
    assert_eq!(spent(b).await.0, 30);
    deliver(b, &call.call_id, vec![with("o3", 1)], Some(10)).await;
    assert_eq!(spent(b).await, (40, 0));
}

async fn a_plan_that_is_set_is_what_numbers_cost(b: &Bench) {
    plan(b, Tariff::Legacy).await;
    b.submit(&oceans(1..=1)).await;
    let set = ClaimReveals { price: PerPerson::Plan(Tariff::Unified), ..b.ask(Ocean) };
    let call = only(b, set).await;
    assert_eq!(spent(b).await, (0, 30));
    b.accept(&call).await;
    deliver(b, &call.call_id, vec![found("o1")], None).await;
    assert_eq!(spent(b).await, (10, 0));
}
