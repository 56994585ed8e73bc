//! Results that are polled because their webhook is late.

use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Finding, FreeRequestFailure, TrackOutcome};
use store::{ClaimedCall, ClaimedPoll};

use crate::harness::people::{clodura, linkedin, ocean};
use crate::harness::{Bench, FAST, HOUR, MINUTE, SECOND, found, not_found, on_both, result};

on_both!(
    nothing_is_polled_before_the_grace_is_over,
    polls_grow_less_frequent,
    a_poll_brings_the_result,
    a_webhook_ends_polling,
    a_poll_that_is_out_is_not_claimed_twice,
    a_poll_whose_worker_died_is_tried_again,
    the_last_poll_is_at_the_deadline,
    a_failed_last_poll_is_no_last_poll,
    a_last_poll_that_finds_it_in_progress_is_the_last,
    a_last_poll_that_no_worker_can_make_is_not_waited_for_for_ever,
    failures_close_the_gate,
    polls_have_half_the_rate_while_reveals_are_due,
    a_webhook_and_a_poll_together_advance_once,
    polled_without_credits_it_waits_for_them,
    an_answer_for_an_address_teaches_the_id,
);

async fn out(b: &Bench, who: crate::harness::people::Who) -> (i64, ClaimedCall) {
    let batch = b.submit(&[who]).await;
    let call = b.claim_one(Clodura).await;
    b.accept_with(&call, Some("t1")).await;
    (batch, call)
}

async fn claim(b: &Bench) -> Vec<ClaimedPoll> {
    b.store.calls().claim_polls(Clodura, 10, FAST).await.unwrap().polls
}

async fn poll(b: &Bench, outcome: TrackOutcome) {
    let poll = claim(b).await.pop().expect("a poll is due");
    b.store.calls().record_poll(poll, Ok(outcome), Some(200), &b.policy).await.unwrap();
}

/// When the next poll is due.
async fn next(b: &Bench) -> Option<Duration> {
    let polls = b.store.calls().claim_polls(Clodura, 10, FAST).await.unwrap();
    assert!(polls.polls.is_empty(), "nothing is due");
    polls.again_at.map(|at| at.since(b.store.now()))
}

async fn nothing_is_polled_before_the_grace_is_over(b: &Bench) {
    out(b, clodura("c1")).await;
    assert_eq!(next(b).await, Some(2 * MINUTE));
    b.advance(2 * MINUTE).await;
    let polls = claim(b).await;
    assert_eq!((polls.len(), &*polls[0].tracking_id), (1, "t1"));
    assert!(b.store.calls().claim_polls(Ocean, 10, FAST).await.unwrap().polls.is_empty());
}

async fn polls_grow_less_frequent(b: &Bench) {
    out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    for seconds in [30, 60, 120, 240, 480, 600, 600] {
        poll(b, TrackOutcome::Running).await;
        assert_eq!(next(b).await, Some(seconds * SECOND));
        b.check("polled").await;
        b.advance(seconds * SECOND).await;
    }
    let log = "SELECT COUNT(*) FROM call_log WHERE kind = 'track' AND tracking_id = 't1'";
    assert_eq!(b.database.number(log).await, 7);
}

async fn a_poll_brings_the_result(b: &Bench) {
    let (batch, _) = out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    poll(b, TrackOutcome::Finished(found("c1"))).await;
    assert_eq!(b.states(batch).await, ["found"]);
    assert_eq!(next(b).await, None);
}

async fn a_webhook_ends_polling(b: &Bench) {
    let (_, call) = out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    let claimed = claim(b).await.remove(0);
    b.webhook(&call, vec![found("c1")]).await;
    b.check("answered").await;
    b.store
        .calls()
        .record_poll(claimed, Ok(TrackOutcome::Running), Some(200), &b.policy)
        .await
        .unwrap();
    assert_eq!(next(b).await, None);
}

async fn a_poll_that_is_out_is_not_claimed_twice(b: &Bench) {
    out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    let other = b.another_store().await;
    let (one, two) = tokio::join!(
        b.store.calls().claim_polls(Clodura, 10, FAST),
        other.calls().claim_polls(Clodura, 10, FAST)
    );
    assert_eq!(one.unwrap().polls.len() + two.unwrap().polls.len(), 1);
}

async fn a_poll_whose_worker_died_is_tried_again(b: &Bench) {
    out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    let lost = claim(b).await.remove(0);
    b.advance(2 * MINUTE).await;
    let again = claim(b).await.remove(0);
    // The first poll returns after all. Its lease is over, so it changes nothing.
    b.store
        .calls()
        .record_poll(lost, Ok(TrackOutcome::Running), Some(200), &b.policy)
        .await
        .unwrap();
    assert_eq!(next(b).await, Some(2 * MINUTE));
    b.store
        .calls()
        .record_poll(again, Ok(TrackOutcome::Running), Some(200), &b.policy)
        .await
        .unwrap();
    assert_eq!(next(b).await, Some(MINUTE));
}

async fn the_last_poll_is_at_the_deadline(b: &Bench) {
    let (batch, call) = out(b, ocean("o1").clodura("c1").by(&[Clodura, Ocean])).await;
    b.advance(24 * HOUR - SECOND).await;
    poll(b, TrackOutcome::Running).await;
    assert_eq!(next(b).await, Some(SECOND));
    assert_eq!(b.store.sweep_overdue(&b.policy).await.unwrap().expired, 0);
    b.advance(SECOND).await;
    assert_eq!(b.store.sweep_overdue(&b.policy).await.unwrap().expired, 0, "a last poll first");
    poll(b, TrackOutcome::NothingThere).await;
    b.check("expired").await;
    let row = b.shown(batch).await.remove(0);
    assert_eq!((&*row.state, row.reason.as_deref()), ("expired", Some("no_result")));
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn a_failed_last_poll_is_no_last_poll(b: &Bench) {
    let (batch, _) = out(b, clodura("c1")).await;
    b.advance(24 * HOUR).await;
    let failure = FreeRequestFailure::Unavailable { message: "HTTP 502".into() };
    let claimed = claim(b).await.remove(0);
    b.store.calls().record_poll(claimed, Err(failure), Some(502), &b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["awaiting"]);
    b.advance(HOUR).await;
    poll(b, TrackOutcome::Finished(found("c1"))).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn a_last_poll_that_finds_it_in_progress_is_the_last(b: &Bench) {
    let (batch, call) = out(b, clodura("c1")).await;
    b.advance(24 * HOUR - SECOND).await;
    poll(b, TrackOutcome::Finished(result("c1", Finding::InProgress))).await;
    assert_eq!(b.states(batch).await, ["awaiting"]);
    b.advance(SECOND).await;
    poll(b, TrackOutcome::Finished(result("c1", Finding::InProgress))).await;
    b.check("expired").await;
    let row = b.shown(batch).await.remove(0);
    assert_eq!((&*row.state, row.reason.as_deref()), ("expired", Some("no_result")));
    assert_eq!(next(b).await, None, "nothing is polled any more");
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn a_last_poll_that_no_worker_can_make_is_not_waited_for_for_ever(b: &Bench) {
    let (batch, call) = out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    let claimed = claim(b).await.remove(0);
    let refused = FreeRequestFailure::Misconfigured { message: "Invalid API key".into() };
    b.store.calls().record_poll(claimed, Err(refused), Some(401), &b.policy).await.unwrap();
    b.advance(72 * HOUR - 2 * MINUTE - SECOND).await;
    assert_eq!(b.store.sweep_overdue(&b.policy).await.unwrap().expired, 0);
    assert_eq!(b.states(batch).await, ["awaiting"], "the key may still be fixed");
    b.advance(SECOND).await;
    assert_eq!(b.store.sweep_overdue(&b.policy).await.unwrap().expired, 1);
    b.check("expired").await;
    let row = b.shown(batch).await.remove(0);
    assert_eq!((&*row.state, row.reason.as_deref()), ("expired", Some("no_result")));
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn failures_close_the_gate(b: &Bench) {
    out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    let limited = FreeRequestFailure::RateLimited { retry_after: Some(HOUR) };
    let claimed = claim(b).await.remove(0);
    b.store.calls().record_poll(claimed, Err(limited), Some(429), &b.policy).await.unwrap();
    assert_eq!(next(b).await, Some(HOUR));
    b.submit(&[clodura("c2")]).await;
    assert!(b.claim(Clodura).await.is_empty());
    b.advance(HOUR).await;
    assert_eq!(claim(b).await.len(), 1);
}

async fn polls_have_half_the_rate_while_reveals_are_due(b: &Bench) {
    for n in 0..4 {
        out(b, clodura(&format!("c{n}"))).await;
    }
    b.advance(2 * MINUTE).await;
    assert_eq!(b.store.calls().claim_polls(Clodura, 1, 10.0).await.unwrap().polls.len(), 1);
    b.advance(Duration::from_millis(101)).await;
    assert_eq!(b.store.calls().claim_polls(Clodura, 1, 10.0).await.unwrap().polls.len(), 1);
    b.submit(&[clodura("due")]).await;
    b.advance(Duration::from_millis(101)).await;
    assert_eq!(b.store.calls().claim_polls(Clodura, 1, 10.0).await.unwrap().polls.len(), 1);
    b.advance(Duration::from_millis(101)).await;
    assert!(b.store.calls().claim_polls(Clodura, 1, 10.0).await.unwrap().polls.is_empty());
    b.advance(Duration::from_millis(101)).await;
    assert_eq!(b.store.calls().claim_polls(Clodura, 1, 10.0).await.unwrap().polls.len(), 1);
}

async fn a_webhook_and_a_poll_together_advance_once(b: &Bench) {
    let who = ocean("o1").clodura("c1").by(&[Clodura, Ocean]);
    let (batch, call) = out(b, who).await;
    b.advance(2 * MINUTE).await;
    let claimed = claim(b).await.remove(0);
    b.webhook(&call, vec![not_found("c1")]).await;
    let late = Ok(TrackOutcome::Finished(not_found("c1")));
    b.store.calls().record_poll(claimed, late, Some(200), &b.policy).await.unwrap();
    b.check("advanced").await;
    assert_eq!(b.shown(batch).await[0].provider.as_deref(), Some("ocean"));
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
}

async fn polled_without_credits_it_waits_for_them(b: &Bench) {
    let (batch, _) = out(b, clodura("c1")).await;
    b.advance(2 * MINUTE).await;
    poll(b, TrackOutcome::Finished(result("c1", Finding::OutOfCredits))).await;
    b.check("out of credits").await;
    let row = b.shown(batch).await.remove(0);
    assert_eq!((&*row.state, row.reason.as_deref()), ("held", Some("credits_insufficient")));
    assert!(b.claim(Clodura).await.is_empty());
    assert_eq!(next(b).await, None);
}

async fn an_answer_for_an_address_teaches_the_id(b: &Bench) {
    let (batch, _) = out(b, linkedin("jane")).await;
    let twin = b.submit(&[clodura("9000")]).await;
    b.advance(2 * MINUTE).await;
    poll(b, TrackOutcome::Finished(found("9000"))).await;
    b.check("answered").await;
    let later = b.submit(&[clodura("9000")]).await;
    for batch in [batch, twin, later] {
        assert_eq!(b.shown(batch).await[0].phones.as_deref(), Some("+45 9000"));
    }
    assert!(b.claim(Clodura).await.is_empty());
}
