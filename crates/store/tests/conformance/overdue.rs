//! Changes that time alone causes.

use jobs::Provider::{Clodura, Ocean};
use jobs::WorkerId;
use jobs::outcome::Refusal;
use store::{ClaimReveals, ClaimedCall, Swept};

use crate::harness::people::{clodura, ocean, oceans};
use crate::harness::{Bench, HOUR, MINUTE, SECOND, found, on_both};

on_both!(
    a_dead_worker_s_calls_may_have_left,
    a_worker_that_stopped_is_dead,
    a_living_worker_is_left_alone,
    a_request_that_lasts_for_ever_is_lost,
    a_dead_worker_s_probe_leaves_the_gate_closed,
    what_a_dead_worker_left_is_locked_after_the_gate,
    results_that_never_came,
    results_of_an_unknown_request_that_never_came,
    while_the_time_is_unsure_nothing_expires,
    what_a_clock_that_was_ahead_has_put_off_is_due,
    an_unknown_request_is_not_sent_again_unless_asked_for,
    an_unknown_request_is_sent_again_where_asked_for,
    no_person_is_sent_again_too_often,
    a_long_absence_is_worked_off,
    a_refusal_counts_although_the_call_was_taken_over,
    what_was_not_sent_goes_back_although_the_call_was_taken_over,
    a_refusal_does_not_overrule_a_result,
    a_refusal_comes_too_late_for_a_call_that_was_repeated,
    a_call_is_repeated_once_by_two_workers,
);

async fn sweep(b: &Bench) -> Swept {
    let swept = b.store.sweep_overdue(&b.policy).await.unwrap();
    b.check("swept").await;
    swept
}

async fn a_dead_worker_s_calls_may_have_left(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.clock.advance(29 * SECOND);
    assert_eq!(sweep(b).await.taken_over, 0);
    b.clock.advance(2 * SECOND);
    assert_eq!(sweep(b).await.taken_over, 1);
    assert_eq!(b.states(batch).await, ["awaiting"; 2]);
    assert!(b.claim(Ocean).await.is_empty());
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found"; 2]);
}

async fn a_worker_that_stopped_is_dead(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    b.claim_one(Ocean).await;
    b.store.workers().worker_stopped(b.worker).await.unwrap();
    assert_eq!(sweep(b).await.taken_over, 1);
}

async fn a_living_worker_is_left_alone(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    b.claim_one(Ocean).await;
    for _ in 0..5 {
        b.advance(MINUTE).await;
        assert_eq!(sweep(b).await, Swept::default());
    }
}

async fn a_request_that_lasts_for_ever_is_lost(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    b.claim_one(Ocean).await;
    b.advance(10 * MINUTE + SECOND).await;
    assert_eq!(sweep(b).await.taken_over, 1);
}

async fn a_dead_worker_s_probe_leaves_the_gate_closed(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsPending).await;
    b.advance(MINUTE).await;
    let dead = WorkerId::generate();
    b.register(dead, Some("key"), Some("url")).await;
    let probe = b.claim_as(ClaimReveals { worker: dead, ..b.ask(Ocean) }).await.remove(0);
    b.check("probing").await;
    b.advance(31 * SECOND).await;
    assert_eq!(sweep(b).await.taken_over, 1);
    assert!(b.claim(Ocean).await.is_empty());
    b.advance(MINUTE).await;
    assert_ne!(b.claim_one(Ocean).await.people, probe.people);
}

/// An answer locks the gate, then calls. A sweep that locked calls before the gate could deadlock
/// with it.
async fn what_a_dead_worker_left_is_locked_after_the_gate(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsPending).await;
    b.advance(MINUTE).await;
    b.claim_one(Ocean).await;
    b.clock.advance(31 * SECOND);
    let Some(mut answering) = b.database.transaction().await else { return };
    let lock = "SELECT provider FROM provider_gates WHERE provider = 'ocean' FOR UPDATE";
    sqlx::query(lock).execute(&mut *answering).await.unwrap();
    let (store, policy) = (b.store.clone(), b.policy.clone());
    let sweeping = tokio::spawn(async move { store.sweep_overdue(&policy).await });
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while b.database.number(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    let call = "SELECT id FROM calls WHERE state = 'sending' FOR UPDATE NOWAIT";
    let free = sqlx::query(call).fetch_all(&mut *answering).await;
    assert_eq!(free.expect("nobody has locked it").len(), 1);
    answering.rollback().await.unwrap();
    assert_eq!(sweeping.await.unwrap().unwrap().taken_over, 1);
}

async fn results_that_never_came(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    b.accept(&b.claim_one(Ocean).await).await;
    b.advance(24 * HOUR - SECOND).await;
    assert_eq!(sweep(b).await.expired, 0);
    b.advance(SECOND).await;
    assert_eq!(sweep(b).await.expired, 1);
    assert_eq!(sweep(b).await.expired, 0);
    let row = b.shown(batch).await.remove(0);
    assert_eq!((&*row.state, row.reason.as_deref()), ("expired", Some("no_result")));
    let later = b.submit(&oceans(1..=2)).await;
    assert_eq!(b.states(later).await, ["expired"; 2], "perhaps paid: not asked again by itself");
}

/// No person expires, and none is paid for twice, because a clock jumped ahead.
async fn while_the_time_is_unsure_nothing_expires(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    b.submit(&oceans(1..=2)).await;
    b.unknown(&b.claim_one(Ocean).await).await;
    b.advance(48 * HOUR).await;
    let swept = b.store.sweep(&policy, false).await.unwrap();
    assert_eq!((swept.expired, swept.repeated), (0, 0));
    assert_eq!(sweep(b).await.expired, 1);
}

/// A clock that was two days ahead has put heartbeats, backoffs and polls two days into the future.
async fn what_a_clock_that_was_ahead_has_put_off_is_due(b: &Bench) {
    b.submit(&[ocean("o1"), clodura("c1"), clodura("c2")]).await;
    let unavailable = Refusal::Unavailable { message: "away".into(), retry_after: None };
    b.refuse(&b.claim_one(Ocean).await, 503, unavailable).await;
    let polled = b.claim(Clodura).await;
    b.accept_with(&polled[0], Some("t1")).await;
    let ahead = 48 * 3_600_000;
    for sql in [
        format!("UPDATE workers SET heartbeat_at = heartbeat_at + {ahead}"),
        format!("UPDATE reveals SET due_at = due_at + {ahead} WHERE due_at IS NOT NULL"),
        format!("UPDATE calls SET poll_at = poll_at + {ahead} WHERE poll_at IS NOT NULL"),
    ] {
        b.database.run(&sql).await;
    }
    sweep(b).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
    assert_eq!(b.store.calls().claim_polls(Clodura, 10, 1e6).await.unwrap().polls.len(), 1);
    b.clock.advance(31 * SECOND);
    assert_eq!(sweep(b).await.taken_over, 2, "a dead worker's");
}

async fn results_of_an_unknown_request_that_never_came(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    b.unknown(&b.claim_one(Ocean).await).await;
    b.advance(24 * HOUR).await;
    assert_eq!(sweep(b).await.expired, 1);
    assert_eq!(b.shown(batch).await[0].reason.as_deref(), Some("outcome_unknown"));
}

async fn an_unknown_request_is_not_sent_again_unless_asked_for(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    b.unknown(&b.claim_one(Ocean).await).await;
    b.advance(23 * HOUR).await;
    assert_eq!(sweep(b).await.repeated, 0);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn an_unknown_request_is_sent_again_where_asked_for(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    let batch = b.submit(&[ocean("o1"), clodura("c1")]).await;
    let (one, two) = (b.claim_one(Ocean).await, b.claim_one(Clodura).await);
    b.unknown(&one).await;
    b.accept(&two).await;
    b.advance(HOUR - SECOND).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 0);
    b.advance(SECOND).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 1);
    b.check("to be sent again").await;
    let again = b.claim_one(Ocean).await;
    b.refuse(&again, 402, Refusal::CreditsPending).await;
    b.advance(HOUR).await;
    let again = b.claim_one(Ocean).await;
    let repeats = format!(
        "SELECT COUNT(*) FROM call_log WHERE call_id = '{}' AND repeat_of = '{}'",
        again.call_id, one.call_id
    );
    assert_eq!(b.database.number(&repeats).await, 1, "also after a refusal in between");
    b.webhook(&one, vec![found("o1")]).await;
    b.check("the first answered").await;
    assert_eq!(b.states(batch).await, ["found", "awaiting"]);
    b.accept(&again).await;
}

async fn no_person_is_sent_again_too_often(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), max_attempts: 3, ..b.policy.clone() };
    let batch = b.submit(&oceans(1..=1)).await;
    for _ in 0..3 {
        assert_eq!(b.states(batch).await, ["queued"]);
        b.unknown(&b.claim_one(Ocean).await).await;
        b.database.run("UPDATE provider_gates SET broken_streak = 0").await;
        b.advance(HOUR).await;
        b.store.sweep_overdue(&policy).await.unwrap();
        b.check("swept").await;
    }
    let row = b.shown(batch).await.remove(0);
    assert_eq!((&*row.state, row.reason.as_deref()), ("expired", Some("outcome_unknown")));
}

/// A call of `people` people whose worker was silent for too long.
async fn taken_over(b: &Bench, people: u32) -> (i64, ClaimedCall) {
    let batch = b.submit(&oceans(1..=people)).await;
    let call = b.claim_one(Ocean).await;
    b.clock.advance(31 * SECOND);
    assert_eq!(sweep(b).await.taken_over, 1);
    b.advance(SECOND).await;
    (batch, call)
}

async fn a_refusal_counts_although_the_call_was_taken_over(b: &Bench) {
    let (batch, call) = taken_over(b, 3).await;
    b.refuse_people(&call, &[1]).await;
    b.check("refused after all").await;
    assert_eq!(b.states(batch).await, ["queued", "failed", "queued"]);
    let again = b.claim_one(Ocean).await;
    assert_eq!(again.people, ["ocean:o1", "ocean:o3"]);
    b.refuse(&call, 402, Refusal::CreditsPending).await;
    b.accept(&again).await;
    b.advance(25 * HOUR).await;
    assert_eq!(sweep(b).await.expired, 1, "only the call that was taken");
}

async fn what_was_not_sent_goes_back_although_the_call_was_taken_over(b: &Bench) {
    let (batch, call) = taken_over(b, 2).await;
    b.store.calls().give_back(call.clone(), "suspended".into()).await.unwrap();
    b.check("given back").await;
    assert_eq!(b.states(batch).await, ["queued"; 2]);
    assert_eq!(b.claim_one(Ocean).await.people, call.people);
}

async fn a_refusal_does_not_overrule_a_result(b: &Bench) {
    let (batch, call) = taken_over(b, 2).await;
    b.webhook(&call, vec![found("o1")]).await;
    b.refuse(&call, 402, Refusal::CreditsPending).await;
    b.check("refused").await;
    assert_eq!(b.states(batch).await, ["found", "awaiting"], "it was taken, whatever was answered");
}

async fn a_refusal_comes_too_late_for_a_call_that_was_repeated(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(MINUTE), ..b.policy.clone() };
    let (batch, call) = taken_over(b, 2).await;
    b.advance(MINUTE).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 1);
    let again = b.claim_one(Ocean).await;
    b.refuse(&call, 402, Refusal::CreditsPending).await;
    b.check("refused").await;
    assert_eq!(b.states(batch).await, ["sending"; 2]);
    b.accept(&again).await;
    assert_eq!(b.states(batch).await, ["awaiting"; 2]);
}

async fn a_call_is_repeated_once_by_two_workers(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    b.submit(&oceans(1..=20)).await;
    for call in b.claim_as(ClaimReveals { people: 2, ..b.ask(Ocean) }).await {
        b.unknown(&call).await;
    }
    b.advance(HOUR).await;
    let other = b.another_store().await;
    let (one, two) = tokio::join!(b.store.sweep_overdue(&policy), other.sweep_overdue(&policy));
    assert_eq!(one.unwrap().repeated + two.unwrap().repeated, 10);
}

async fn a_long_absence_is_worked_off(b: &Bench) {
    let batch = b.submit(&oceans(1..=450)).await;
    let calls = b.claim_as(ClaimReveals { people: 1, calls: 450, ..b.ask(Ocean) }).await;
    for call in &calls[..225] {
        b.accept(call).await;
    }
    b.clock.advance(50 * HOUR);
    for _ in 0..5 {
        sweep(b).await;
    }
    assert_eq!(b.count(batch, "expired").await, 450);
}
