//! Which people go into which call, how many, and how fast.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::{Credits, WorkerId};
use store::{ClaimReveals, RetryStates};
use tokio::sync::Barrier;

use crate::harness::people::{Options, clodura, ocean, oceans};
use crate::harness::{Bench, HOUR, MINUTE, SECOND, found, not_found, on_both};

on_both!(
    five_hundred_a_call,
    no_more_calls_and_people_than_asked_for,
    by_priority_then_by_age,
    a_shared_person_goes_with_the_more_urgent_batch,
    batches_fill_one_call_together,
    the_rate_spaces_calls,
    polls_and_reveals_share_the_rate,
    workers_at_once_never_claim_the_same,
    a_canary_is_small_and_alone,
    a_silent_webhook_url_is_doubted,
    one_lost_webhook_is_no_reason_to_doubt,
    a_paused_provider_is_left_alone,
    people_no_batch_wants_leave_the_queue,
    people_a_loading_batch_wants_stay,
    a_submit_that_died_keeps_no_person_from_a_batch_at_its_ceiling,
    a_retry_takes_people_over_from_a_submit_that_died,
    a_batch_published_first_is_not_held_up_by_one_that_loads,
);

async fn five_hundred_a_call(b: &Bench) {
    b.submit(&oceans(1..=1201)).await;
    let sizes: Vec<usize> = b.claim(Ocean).await.iter().map(|c| c.people.len()).collect();
    assert_eq!(sizes, [500, 500, 201]);
}

async fn no_more_calls_and_people_than_asked_for(b: &Bench) {
    b.submit(&oceans(1..=50)).await;
    let few = ClaimReveals { calls: 3, people: 7, ..b.ask(Ocean) };
    for _ in 0..2 {
        let calls = b.claim_as(few.clone()).await;
        assert_eq!(calls.iter().map(|c| c.people.len()).collect::<Vec<_>>(), [7, 7, 7]);
    }
    let calls = b.claim_as(few).await;
    assert_eq!(calls.iter().map(|c| c.people.len()).collect::<Vec<_>>(), [7, 1]);
}

async fn by_priority_then_by_age(b: &Bench) {
    for (n, priority) in [(1, 0), (2, 5), (3, 0), (4, 9)] {
        b.submit_with(&oceans(n..=n), Options::priority(priority)).await;
    }
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people, ["ocean:o4", "ocean:o2", "ocean:o1", "ocean:o3"]);
}

async fn a_shared_person_goes_with_the_more_urgent_batch(b: &Bench) {
    b.submit(&oceans(1..=10)).await;
    b.submit_with(&oceans(10..=10), Options::priority(1)).await;
    let one = ClaimReveals { calls: 1, people: 1, ..b.ask(Ocean) };
    assert_eq!(b.claim_as(one).await[0].people, ["ocean:o10"]);
}

async fn batches_fill_one_call_together(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    b.submit(&oceans(4..=5)).await;
    b.submit(&oceans(6..=20)).await;
    let one = ClaimReveals { calls: 1, people: 10, ..b.ask(Ocean) };
    let calls = b.claim_as(one).await;
    assert_eq!(calls.iter().map(|c| c.people.len()).collect::<Vec<_>>(), [10]);
    b.check("one full call").await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 10);
}

async fn the_rate_spaces_calls(b: &Bench) {
    b.submit(&oceans(1..=9)).await;
    let slow = ClaimReveals { people: 1, rate: 2.0, ..b.ask(Ocean) };
    for _ in 0..3 {
        let claims = b.store.calls().claim_reveals(slow.clone()).await.unwrap();
        assert_eq!(claims.calls.len(), 1);
        let paced = b.store.calls().claim_reveals(slow.clone()).await.unwrap();
        assert!(paced.calls.is_empty() && paced.paced);
        let wait = paced.again_at.unwrap().since(b.store.now());
        // The first call leaves at once; each call may be claimed 20 ms before it leaves.
        assert!(wait > 480 * SECOND / 1000 && wait <= 500 * SECOND / 1000, "{wait:?}");
        b.advance(wait).await;
    }
}

async fn polls_and_reveals_share_the_rate(b: &Bench) {
    b.submit(&[clodura("1"), clodura("2"), clodura("3")]).await;
    let ask = ClaimReveals { calls: 1, rate: 10.0, ..b.ask(Clodura) };
    let call = b.claim_as(ask.clone()).await.remove(0);
    b.accept_with(&call, Some("t")).await;
    b.advance(b.policy.webhook_grace).await;
    let reveal = b.claim_as(ask.clone()).await;
    assert_eq!(reveal.len(), 1);
    assert!(b.store.calls().claim_polls(Clodura, 5, 10.0).await.unwrap().polls.is_empty());
    b.advance(Duration::from_millis(101)).await;
    assert_eq!(b.store.calls().claim_polls(Clodura, 5, 10.0).await.unwrap().polls.len(), 1);
    assert!(b.claim_as(ask).await.is_empty());
}

async fn workers_at_once_never_claim_the_same(b: &Bench) {
    b.submit(&oceans(1..=300)).await;
    b.submit(&oceans(200..=400)).await;
    let workers = 8;
    let barrier = Arc::new(Barrier::new(workers));
    let mut tasks = Vec::new();
    for n in 0..workers {
        let store = if n % 2 == 0 { b.store.clone() } else { b.another_store().await };
        let ask =
            ClaimReveals { worker: WorkerId::generate(), calls: 3, people: 5, ..b.ask(Ocean) };
        let barrier = barrier.clone();
        tasks.push(tokio::spawn(async move {
            let mut people = Vec::new();
            barrier.wait().await;
            for _ in 0..5 {
                let claims = store.calls().claim_reveals(ask.clone()).await.unwrap();
                people.extend(claims.calls.into_iter().flat_map(|call| call.people));
            }
            people
        }));
    }
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.unwrap());
    }
    b.check("claimed at once").await;
    let once: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!((claimed.len(), once.len()), (400, 400));
}

async fn a_canary_is_small_and_alone(b: &Bench) {
    b.submit(&oceans(1..=40)).await;
    let ask = ClaimReveals { canary: 10, ..b.ask(Ocean) };
    let calls = b.claim_as(ask.clone()).await;
    assert_eq!(calls.iter().map(|c| c.people.len()).collect::<Vec<_>>(), [10]);
    assert!(b.claim_as(ask.clone()).await.is_empty());
    b.accept(&calls[0]).await;
    assert!(b.claim_as(ask.clone()).await.is_empty());
    b.webhook(&calls[0], vec![found("o1")]).await;
    let calls = b.claim_as(ask).await;
    assert_eq!(calls.iter().map(|c| c.people.len()).collect::<Vec<_>>(), [30]);
}

async fn a_silent_webhook_url_is_doubted(b: &Bench) {
    b.submit(&oceans(1..=40)).await;
    let ask = ClaimReveals { canary: 10, calls: 1, people: 20, ..b.ask(Ocean) };
    let canary = b.claim_as(ask.clone()).await.remove(0);
    b.accept(&canary).await;
    b.webhook(&canary, vec![found("o1")]).await;
    b.accept(&b.claim_as(ask.clone()).await.remove(0)).await;
    b.advance(HOUR + SECOND).await;
    assert!(b.store.sweep_overdue(&b.policy).await.unwrap().webhooks_silent);
    assert!(!b.store.sweep_overdue(&b.policy).await.unwrap().webhooks_silent);
    // The claim doesn't wait for lost webhooks: a new small request asks for a proof.
    let calls = b.claim_as(ask.clone()).await;
    assert_eq!(calls.iter().map(|c| c.people.len()).collect::<Vec<_>>(), [10]);
    assert!(b.claim_as(ask.clone()).await.is_empty(), "one at a time");
    b.webhook(&calls[0], vec![found("o31")]).await;
    assert_eq!(b.claim_as(ask).await.len(), 0, "all forty are asked");
}

/// A single lost webhook among received ones is no reason to doubt the address, however long the silence after it.
async fn one_lost_webhook_is_no_reason_to_doubt(b: &Bench) {
    b.submit(&oceans(1..=30)).await;
    let ask = ClaimReveals { canary: 10, calls: 1, people: 10, ..b.ask(Ocean) };
    let first = b.claim_as(ask.clone()).await.remove(0);
    b.accept(&first).await;
    b.webhook(&first, vec![found("o1")]).await;
    let lost = b.claim_as(ask.clone()).await.remove(0);
    b.accept(&lost).await;
    b.advance(5 * MINUTE).await;
    let third = b.claim_as(ask.clone()).await.remove(0);
    b.accept(&third).await;
    b.advance(MINUTE).await;
    b.webhook(&third, vec![found("o21")]).await;
    b.advance(3 * HOUR).await;
    assert!(!b.store.sweep_overdue(&b.policy).await.unwrap().webhooks_silent);
    b.submit(&oceans(31..=60)).await;
    assert_eq!(b.claim_as(ClaimReveals { people: 30, ..ask }).await[0].people.len(), 30);
}

async fn a_paused_provider_is_left_alone(b: &Bench) {
    let batch = b.submit(&oceans(1..=4)).await;
    b.database.run("UPDATE provider_gates SET paused = 1 WHERE provider = 'ocean'").await;
    let claims = b.store.calls().claim_reveals(b.ask(Ocean)).await.unwrap();
    assert!(claims.calls.is_empty() && claims.again_at.is_none());
    assert_eq!(b.states(batch).await, ["held"; 4]);
}

/// Submits a batch with two people queued at Clodura. The row of the first one doesn't need that result any more.
async fn unwanted_at_clodura(b: &Bench) -> i64 {
    let batch = b.submit(&[ocean("o1").clodura("c1"), clodura("c2")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    assert_eq!(b.states(batch).await, ["queued", "queued"]);
    b.webhook(&call, vec![found("o1")]).await;
    b.check("found after all").await;
    assert_eq!(b.states(batch).await, ["found", "queued"]);
    batch
}

async fn people_no_batch_wants_leave_the_queue(b: &Bench) {
    unwanted_at_clodura(b).await;
    let calls = b.claim(Clodura).await;
    assert_eq!(calls.iter().flat_map(|c| c.people.clone()).collect::<Vec<_>>(), ["clodura:c2"]);
    let later = b.submit(&[clodura("c1")]).await;
    assert_eq!(b.states(later).await, ["queued"]);
    assert_eq!(b.claim_one(Clodura).await.people, ["clodura:c1"]);
}

async fn people_a_loading_batch_wants_stay(b: &Bench) {
    let later = b.begin(Options::default()).await;
    b.load(&later, &[clodura("c1")]).await;
    unwanted_at_clodura(b).await;
    b.load_after(&later, 1, &[clodura("c1")]).await;
    b.claim(Clodura).await;
    b.check("claimed").await;
    b.publish(&later).await;
    b.check("published").await;
    assert_eq!(b.claim_one(Clodura).await.people, ["clodura:c1"]);
}

async fn a_batch_published_first_is_not_held_up_by_one_that_loads(b: &Bench) {
    let first = b.begin(Options::default()).await;
    b.load(&first, &oceans(1..=2)).await;
    let second = b.begin(Options::default()).await;
    b.load(&second, &oceans(2..=3)).await;
    b.publish(&first).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1", "ocean:o2"]);
    b.store.batches().abandon(&second).await.unwrap();
}

async fn a_submit_that_died_keeps_no_person_from_a_batch_at_its_ceiling(b: &Bench) {
    let poor = b.submit_with(&oceans(1..=3), Options::ceiling(Ocean, 1)).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
    let died = b.begin(Options::default()).await;
    b.load(&died, &oceans(2..=3)).await;
    // The owner of the people is decided once more.
    let cancelled = b.submit(&oceans(2..=3)).await;
    b.cancel(cancelled).await;
    b.check("decided").await;
    let ceiling = [(Ocean, Some(Credits::whole(100)))].into();
    b.store.batches().set_ceilings(&b.batch_ref(poor).await, &ceiling).await.unwrap();
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2", "ocean:o3"]);
}

async fn a_retry_takes_people_over_from_a_submit_that_died(b: &Bench) {
    let batch = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[0]).await;
    assert_eq!(b.states(batch).await, ["failed"]);
    let died = b.begin(Options::default()).await;
    b.load(&died, &oceans(1..=1)).await;
    let failed = RetryStates { failed: true, ..RetryStates::default() };
    b.store.batches().retry(&b.batch_ref(batch).await, failed).await.unwrap();
    b.check("retried").await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
}
