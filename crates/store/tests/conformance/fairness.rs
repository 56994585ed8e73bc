//! Batches of one priority share a provider's capacity; a batch of higher priority goes first.

use jobs::Provider::{Clodura, Ocean};
use store::{ClaimReveals, ClaimedCall};

use crate::harness::people::{Options, Who, clodura, ocean};
use crate::harness::{Bench, on_both};

on_both!(
    a_small_batch_has_its_turn_at_once,
    several_slots_are_shared,
    full_requests_stay_full,
    a_batch_that_only_shares_keeps_no_place_free,
    a_higher_priority_goes_first,
    a_priority_is_set_while_a_batch_runs,
    shared_people_follow_a_priority,
    a_status_says_what_a_batch_waits_behind,
);

fn people(of: fn(&str) -> Who, name: &str, many: usize) -> Vec<Who> {
    (1..=many).map(|n| of(&format!("{name}{n}"))).collect()
}

/// How many of these calls' people have ids that begin with `name`.
fn named(calls: &[ClaimedCall], name: &str) -> usize {
    let people = calls.iter().flat_map(|call| &call.people);
    people
        .filter(|person| person.split_once(':').is_some_and(|(_, id)| id.starts_with(name)))
        .count()
}

async fn claim(b: &Bench, calls: usize) -> Vec<ClaimedCall> {
    b.claim_as(ClaimReveals { calls, ..b.ask(Clodura) }).await
}

async fn a_small_batch_has_its_turn_at_once(b: &Bench) {
    b.submit(&people(clodura, "a", 300)).await;
    claim(b, 10).await;
    b.submit(&people(clodura, "b", 3)).await;
    let mut turns = String::new();
    for _ in 0..8 {
        let call = claim(b, 1).await;
        turns.push(if named(&call, "b") == 1 { 'b' } else { 'a' });
    }
    assert_eq!(turns.matches('b').count(), 3, "{turns}");
    assert!(turns.find('b') < Some(2) && turns.rfind('b') < Some(6), "{turns}");
}

async fn several_slots_are_shared(b: &Bench) {
    b.submit(&people(clodura, "a", 100)).await;
    b.submit(&people(clodura, "b", 50)).await;
    b.submit(&people(clodura, "c", 2)).await;
    let calls = claim(b, 32).await;
    let shares = ["a", "b", "c"].map(|name| named(&calls, name));
    assert_eq!(shares, [15, 15, 2]);
}

/// One request at a time, and batches whose people are owned by other batches: every request has a person.
async fn a_batch_that_only_shares_keeps_no_place_free(b: &Bench) {
    let ten = people(clodura, "a", 10);
    b.submit(&ten).await;
    b.submit(&ten).await;
    b.submit(&[&ten[5..], &people(clodura, "b", 5)].concat()).await;
    b.submit_with(&ten, Options::priority(-1)).await;
    for n in 1..=15 {
        assert_eq!(claim(b, 1).await.len(), 1, "request {n}");
        b.check("claimed").await;
    }
    assert!(claim(b, 1).await.is_empty());
}

async fn full_requests_stay_full(b: &Bench) {
    b.submit(&people(ocean, "a", 900)).await;
    b.submit(&people(ocean, "b", 100)).await;
    let ask = || ClaimReveals { calls: 1, ..b.ask(Ocean) };
    let first = b.claim_as(ask()).await;
    assert_eq!((named(&first, "a"), named(&first, "b")), (400, 100));
    let second = b.claim_as(ask()).await;
    assert_eq!((named(&second, "a"), named(&second, "b")), (500, 0));
}

async fn a_higher_priority_goes_first(b: &Bench) {
    b.submit(&people(clodura, "a", 50)).await;
    b.submit_with(&people(clodura, "b", 50), Options::priority(1)).await;
    assert_eq!(named(&claim(b, 40).await, "b"), 40);
    let calls = claim(b, 20).await;
    assert_eq!((named(&calls, "a"), named(&calls, "b")), (10, 10));
}

async fn a_priority_is_set_while_a_batch_runs(b: &Bench) {
    b.submit(&people(clodura, "a", 50)).await;
    let batch = b.submit(&people(clodura, "b", 50)).await;
    let batch = b.batch_ref(batch).await;
    b.store.batches().set_priority(&batch, 5).await.expect("sets it");
    assert_eq!(named(&claim(b, 20).await, "b"), 20);
    b.store.batches().set_priority(&batch, -5).await.expect("sets it");
    assert_eq!(named(&claim(b, 20).await, "a"), 20);
}

async fn shared_people_follow_a_priority(b: &Bench) {
    let first = b.submit(&people(clodura, "a", 20)).await;
    b.submit_with(&people(clodura, "b", 20), Options::priority(3)).await;
    let second = b.submit(&people(clodura, "a", 20)).await;
    b.store.batches().set_priority(&b.batch_ref(second).await, 9).await.expect("raises it");
    b.check("raised").await;
    assert_eq!(named(&claim(b, 10).await, "a"), 10);
    b.store.batches().set_priority(&b.batch_ref(second).await, -9).await.expect("lowers it");
    b.check("lowered").await;
    b.store.batches().set_priority(&b.batch_ref(first).await, 9).await.expect("raises it");
    assert_eq!(named(&claim(b, 10).await, "a"), 10);
}

async fn a_status_says_what_a_batch_waits_behind(b: &Bench) {
    b.submit_with(&people(clodura, "a", 1_000), Options::priority(1)).await;
    b.submit(&people(clodura, "b", 200)).await;
    let small = b.submit(&people(clodura, "c", 100)).await;
    b.database.run("UPDATE provider_gates SET rate_limit = 5, found_rate = NULL").await;
    let held = b.store.reports().blocked_by().await.expect("reads");
    let id = b.batch_ref(small).await.batch_id.to_string();
    assert_eq!(
        held[&id],
        [
            "clodura: 100 rows waiting behind 1,000 rows of a higher priority, alongside another batch of its own, \
          all asked in about 4m"
        ]
    );
}
