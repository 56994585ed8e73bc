//! `enqueue retry`: asks again, without paying twice unless the user allows it.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Finding, TrackOutcome};
use store::{PayAgain, Retried, RetryStates};

use crate::harness::people::{Options, clodura, ocean, oceans};
use crate::harness::{Bench, FAST, HOUR, MINUTE, found, not_found, on_both, result};

on_both!(
    failed_people_are_asked_again,
    finished_batches_that_share_a_failure_stay_as_they_were,
    a_result_that_another_batch_has_meanwhile_is_shared,
    a_waterfall_begins_at_its_first_failure,
    cancelled_rows_are_taken_up_again,
    expired_people_are_asked_again_on_request,
    a_late_answer_spares_asking_again,
    a_tracking_id_is_polled_before_asking_again,
    nothing_at_the_last_poll_asks_again,
    no_credits_at_the_last_poll_ask_again_once_there_are_some,
    one_person_on_many_rows_is_paid_for_once,
);

const FAILED: RetryStates = RetryStates { failed: true, expired: false, cancelled: false };
const EXPIRED: RetryStates = RetryStates { failed: false, expired: true, cancelled: false };
const CANCELLED: RetryStates = RetryStates { failed: false, expired: false, cancelled: true };

async fn retry(b: &Bench, batch: i64, states: RetryStates) -> Retried {
    let retried = b.store.batches().retry(&b.batch(batch).await, states).await.unwrap();
    b.check("retried").await;
    retried
}

/// A batch of one person at Ocean whose call was never answered.
async fn expired(b: &Bench) -> (i64, store::ClaimedCall) {
    let batch = b.submit(&[ocean("o1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.advance(25 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["expired"]);
    (batch, call)
}

/// A batch of one expired person at Clodura, with a tracking id that was polled until the deadline.
async fn expired_with_tracking_id(b: &Bench) -> i64 {
    let batch = b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept_with(&call, Some("t1")).await;
    b.advance(25 * HOUR).await;
    poll(b, TrackOutcome::NothingThere).await;
    assert_eq!(b.states(batch).await, ["expired"]);
    batch
}

/// Polls the one tracking id that is due.
async fn poll(b: &Bench, outcome: TrackOutcome) {
    let mut polls = b.store.calls().claim_polls(Clodura, 10, FAST).await.unwrap().polls;
    assert_eq!(polls.len(), 1);
    b.store.calls().record_poll(polls.remove(0), Ok(outcome), Some(200), &b.policy).await.unwrap();
    b.check("polled").await;
}

async fn failed_people_are_asked_again(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[1]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o3")]).await;
    assert_eq!(b.states(batch).await, ["found", "failed", "not_found"]);
    assert!(b.is_finished(batch).await);
    assert_eq!(retry(b, batch, FAILED).await, Retried { rows: 1, polled_first: 0 });
    assert_eq!(b.states(batch).await, ["found", "queued", "not_found"]);
    assert!(!b.is_finished(batch).await);
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people, ["ocean:o2"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found", "found", "not_found"]);
    assert_eq!(retry(b, batch, FAILED).await, Retried::default());
}

async fn finished_batches_that_share_a_failure_stay_as_they_were(b: &Bench) {
    let (first, second) = (b.submit(&oceans(1..=1)).await, b.submit(&oceans(1..=1)).await);
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[0]).await;
    retry(b, second, FAILED).await;
    assert_eq!(b.states(first).await, ["failed"]);
    assert!(b.is_finished(first).await);
    assert_eq!(b.states(second).await, ["queued"]);
    assert_eq!(b.shown(second).await[0].shared, 0);
}

async fn a_result_that_another_batch_has_meanwhile_is_shared(b: &Bench) {
    let first = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[0]).await;
    b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(retry(b, first, FAILED).await.rows, 1);
    let shown = b.shown(first).await;
    assert_eq!((shown[0].state.as_str(), shown[0].shared, shown[0].credits), ("found", 1, 0));
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_waterfall_begins_at_its_first_failure(b: &Bench) {
    let batch = b.submit(&[ocean("o1").clodura("c1")]).await;
    for provider in [Ocean, Clodura] {
        let call = b.claim_one(provider).await;
        b.refuse_people(&call, &[0]).await;
    }
    assert_eq!(b.states(batch).await, ["failed"]);
    retry(b, batch, FAILED).await;
    assert!(b.claim(Clodura).await.is_empty());
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn cancelled_rows_are_taken_up_again(b: &Bench) {
    let batch = b.submit(&[ocean("o1"), ocean("o2"), ocean("o1")]).await;
    b.store.batches().cancel(&b.batch(batch).await).await.unwrap();
    assert_eq!(retry(b, batch, FAILED).await.rows, 0);
    assert_eq!(retry(b, batch, CANCELLED).await.rows, 3);
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found"; 3]);
}

async fn expired_people_are_asked_again_on_request(b: &Bench) {
    let (batch, old) = expired(b).await;
    let again = b.store.batches().pay_again(&b.batch(batch).await).await.unwrap();
    assert_eq!(again[&Ocean], PayAgain { people: 1, polled_first: 0 });
    assert_eq!(retry(b, batch, FAILED).await.rows, 0);
    assert_eq!(retry(b, batch, EXPIRED).await.rows, 1);
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let sql = format!(
        "SELECT o.call_id FROM calls c JOIN calls o ON o.id = c.repeat_of WHERE c.call_id = '{}'",
        call.call_id
    );
    assert_eq!(b.database.one::<(String,)>(&sql).await.0, old.call_id.to_string());
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn a_late_answer_spares_asking_again(b: &Bench) {
    let (batch, old) = expired(b).await;
    retry(b, batch, EXPIRED).await;
    assert_eq!(b.states(batch).await, ["queued"]);
    b.webhook(&old, vec![found("o1")]).await;
    b.check("answered late").await;
    assert_eq!(b.states(batch).await, ["found"]);
    assert_eq!(b.shown(batch).await[0].phones.as_deref(), Some("+45 o1"));
    assert!(b.claim(Ocean).await.is_empty());
    assert!(b.is_finished(batch).await);
}

async fn a_tracking_id_is_polled_before_asking_again(b: &Bench) {
    let batch = expired_with_tracking_id(b).await;
    let again = b.store.batches().pay_again(&b.batch(batch).await).await.unwrap();
    assert_eq!(again[&Clodura], PayAgain { people: 1, polled_first: 1 });
    assert_eq!(retry(b, batch, EXPIRED).await, Retried { rows: 1, polled_first: 1 });
    assert_eq!(b.states(batch).await, ["retrying"]);
    assert!(b.claim(Clodura).await.is_empty());
    poll(b, TrackOutcome::Finished(found("c1"))).await;
    assert_eq!(b.states(batch).await, ["found"]);
    b.advance(25 * HOUR).await;
    assert!(b.claim(Clodura).await.is_empty());
}

async fn nothing_at_the_last_poll_asks_again(b: &Bench) {
    let batch = expired_with_tracking_id(b).await;
    retry(b, batch, EXPIRED).await;
    b.advance(MINUTE).await;
    poll(b, TrackOutcome::NothingThere).await;
    let call = b.claim_one(Clodura).await;
    assert_eq!(call.people, ["clodura:c1"]);
    b.accept_with(&call, Some("t2")).await;
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
    assert!(b.store.calls().claim_polls(Clodura, 10, FAST).await.unwrap().polls.is_empty());
}

async fn no_credits_at_the_last_poll_ask_again_once_there_are_some(b: &Bench) {
    let batch = expired_with_tracking_id(b).await;
    retry(b, batch, EXPIRED).await;
    poll(b, TrackOutcome::Finished(result("c1", Finding::OutOfCredits))).await;
    assert!(b.claim(Clodura).await.is_empty(), "the account has too few");
    assert!(b.store.calls().claim_polls(Clodura, 10, FAST).await.unwrap().polls.is_empty());
    b.store.gates().resume(Clodura).await.unwrap();
    let call = b.claim_one(Clodura).await;
    assert_eq!(call.people, ["clodura:c1"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn one_person_on_many_rows_is_paid_for_once(b: &Bench) {
    let batch = b.submit_with(&[ocean("o1"), ocean("o1")], Options::ceiling(Ocean, 1)).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[0]).await;
    assert_eq!(retry(b, batch, FAILED).await.rows, 2);
    assert_eq!(b.claim_one(Ocean).await.people.len(), 1);
    let shared: Vec<i64> = b.shown(batch).await.iter().map(|row| row.shared).collect();
    assert_eq!(shared, [0, 1]);
}
