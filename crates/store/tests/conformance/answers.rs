//! The outcomes of requests, and their effects on people and the gate.

use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::Refusal;
use store::{ClaimReveals, StoreError};

use crate::harness::people::{clodura, oceans};
use crate::harness::{Bench, HOUR, MINUTE, SECOND, found, on_both};

on_both!(
    what_was_never_sent_goes_back,
    what_was_given_back_twice_is_lost,
    an_unknown_outcome_waits_like_an_accepted_one,
    pending_credits_close_for_a_while,
    a_webhook_ends_the_wait_for_pending_credits,
    insufficient_credits_close_until_there_are_more,
    a_day_named_by_a_429_is_sat_out,
    a_429_without_a_time_backs_off,
    a_429_is_not_forgotten_for_another_refusal,
    a_429_slows_down_and_recovers,
    a_call_waits_for_its_turn_and_not_past_a_429,
    a_refused_key_stops_the_provider,
    an_unavailable_provider_is_asked_again_until_enough,
    five_broken_answers_close_the_gate,
    a_busy_provider_names_its_time,
    after_a_broken_answer_little_is_at_risk,
    an_undocumented_answer_may_be_an_acceptance_and_the_next_one_waits,
    a_pause_that_ends_opens_no_closed_gate,
    an_answer_after_the_worker_was_given_up_still_counts,
    an_answer_after_its_webhook_changes_nothing,
    a_probe_that_was_not_sent_is_tried_again,
);

/// The gate's state and reason, whether it blocks all requests, and how long it stays closed.
async fn gate(
    b: &Bench,
    provider: jobs::Provider,
) -> (String, Option<String>, bool, Option<Duration>) {
    let sql = format!(
        "SELECT state, reason, blocks_all, closed_until FROM provider_gates WHERE provider = '{provider}'"
    );
    let (state, reason, all, until): (String, Option<String>, i64, Option<i64>) =
        b.database.one(&sql).await;
    let wait = until.map(|until| jobs::Timestamp(until).since(b.store.now()));
    (state, reason, all == 1, wait)
}

async fn closed_for(b: &Bench, reason: &str) -> Option<Duration> {
    let (state, why, _, wait) = gate(b, Ocean).await;
    assert_eq!((&*state, why.as_deref()), ("closed", Some(reason)));
    assert!(b.claim(Ocean).await.is_empty());
    wait
}

async fn what_was_never_sent_goes_back(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.store.calls().give_back(call, "suspended".into()).await.unwrap();
    b.check("given back").await;
    assert_eq!(b.states(batch).await, ["queued"; 2]);
    assert_eq!(b.shown(batch).await[0].attempts, 0);
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

async fn what_was_given_back_twice_is_lost(b: &Bench) {
    b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.store.calls().give_back(call.clone(), "suspended".into()).await.unwrap();
    let again = b.store.calls().give_back(call.clone(), "suspended".into()).await;
    assert!(matches!(again, Err(StoreError::Lost { .. })));
    b.accept(&call).await;
    b.check("answered after all").await;
}

async fn an_unknown_outcome_waits_like_an_accepted_one(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.unknown(&call).await;
    b.check("unknown").await;
    assert_eq!(b.states(batch).await, ["awaiting"; 2]);
    b.advance(23 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert!(b.claim(Ocean).await.is_empty());
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found"; 2]);
}

async fn pending_credits_close_for_a_while(b: &Bench) {
    let batch = b.submit(&oceans(1..=9)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsPending).await;
    b.check("refused").await;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(closed_for(b, "credits_pending").await, Some(minutes * MINUTE));
        assert_eq!(b.states(batch).await, ["held"; 9]);
        b.advance(minutes * MINUTE).await;
        let probe = b.claim_one(Ocean).await;
        assert_eq!((probe.people.len(), &*gate(b, Ocean).await.0), (1, "probing"));
        b.check("probing").await;
        assert!(b.claim(Ocean).await.is_empty());
        b.refuse(&probe, 402, Refusal::CreditsPending).await;
    }
    assert_eq!(b.shown(batch).await[0].attempts, 0);
    b.advance(HOUR).await;
    b.accept(&b.claim_one(Ocean).await).await;
    assert_eq!(gate(b, Ocean).await.0, "open");
    assert_eq!(b.claim_one(Ocean).await.people.len(), 8);
}

async fn a_webhook_ends_the_wait_for_pending_credits(b: &Bench) {
    b.submit(&oceans(1..=4)).await;
    let two = ClaimReveals { people: 2, calls: 2, ..b.ask(Ocean) };
    let calls = b.claim_as(two).await;
    b.accept(&calls[0]).await;
    b.refuse(&calls[1], 402, Refusal::CreditsPending).await;
    closed_for(b, "credits_pending").await;
    b.webhook(&calls[0], vec![found("o1"), found("o2")]).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 1);
}

async fn insufficient_credits_close_until_there_are_more(b: &Bench) {
    let batch = b.submit(&oceans(1..=4)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsInsufficient).await;
    assert_eq!(closed_for(b, "credits_insufficient").await, None);
    b.advance(100 * HOUR).await;
    assert_eq!(closed_for(b, "credits_insufficient").await, None);
    assert_eq!(b.states(batch).await, ["held"; 4]);
    assert_eq!(b.shown(batch).await[0].attempts, 0);
}

async fn a_day_named_by_a_429_is_sat_out(b: &Bench) {
    let batch = b.submit(&oceans(1..=4)).await;
    let refusal = Refusal::RateLimited { retry_after: Some(24 * HOUR) };
    b.refuse(&b.claim_one(Ocean).await, 429, refusal).await;
    assert_eq!(closed_for(b, "rate_limited").await, Some(24 * HOUR));
    assert!(gate(b, Ocean).await.2, "polls and balances wait, too");
    assert!(b.store.gates().claim_balance(Ocean, 1e6).await.unwrap().0.is_none());
    assert_eq!(b.states(batch).await, ["retrying"; 4]);
    b.advance(24 * HOUR).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 4);
}

async fn a_429_without_a_time_backs_off(b: &Bench) {
    b.submit(&oceans(1..=4)).await;
    let refusal = Refusal::RateLimited { retry_after: None };
    for minutes in [1, 2, 4] {
        b.refuse(&b.claim_one(Ocean).await, 429, refusal.clone()).await;
        assert_eq!(closed_for(b, "rate_limited").await, Some(minutes * MINUTE));
        b.advance(minutes * MINUTE).await;
    }
}

async fn a_429_is_not_forgotten_for_another_refusal(b: &Bench) {
    b.submit(&oceans(1..=6)).await;
    let calls = b.claim_as(ClaimReveals { people: 2, ..b.ask(Ocean) }).await;
    let day = Refusal::RateLimited { retry_after: Some(24 * HOUR) };
    b.refuse(&calls[0], 429, day).await;
    b.refuse(&calls[1], 402, Refusal::CreditsPending).await;
    assert_eq!(closed_for(b, "rate_limited").await, Some(24 * HOUR));
    b.refuse(&calls[2], 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    assert_eq!(closed_for(b, "rate_limited").await, Some(24 * HOUR));
}

async fn a_429_slows_down_and_recovers(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    let ask = ClaimReveals { people: 1, rate: 20.0, ..b.ask(Ocean) };
    let call = b.claim_as(ask.clone()).await.remove(0);
    b.refuse(&call, 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    let rate =
        "SELECT CAST(found_rate * 1000 AS BIGINT) FROM provider_gates WHERE provider = 'ocean'";
    assert_eq!(b.database.number(rate).await, 19_400);
    b.advance(SECOND).await;
    // A call is claimed up to 20 ms before it leaves.
    b.accept(&b.claim_as(ask.clone()).await.remove(0)).await;
    let slow = b.store.calls().claim_reveals(ask.clone()).await.unwrap();
    let wait = slow.again_at.unwrap().since(b.store.now());
    assert_eq!(wait, Duration::from_millis(32), "one in 19.4 a second");
    b.advance(10 * MINUTE).await;
    b.claim_as(ask.clone()).await;
    let fast = b.store.calls().claim_reveals(ask).await.unwrap();
    assert_eq!(fast.again_at.unwrap().since(b.store.now()), Duration::from_millis(31));
}

async fn a_call_waits_for_its_turn_and_not_past_a_429(b: &Bench) {
    b.submit(&oceans(1..=4)).await;
    let ask = ClaimReveals { people: 1, rate: 100.0, ..b.ask(Ocean) };
    let calls = b.claim_as(ask).await;
    let gap = calls[2].send_slot.duration_since(calls[0].send_slot);
    assert_eq!(gap, 2 * Duration::from_millis(10));
    assert!(b.store.calls().may_leave(&calls[2]).await.unwrap());
    b.refuse(&calls[0], 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    assert!(!b.store.calls().may_leave(&calls[2]).await.unwrap());
    b.advance(SECOND).await;
    let probe = b.claim_one(Ocean).await;
    assert!(b.store.calls().may_leave(&probe).await.unwrap());
    assert!(!b.store.calls().may_leave(&calls[2]).await.unwrap());
}

async fn a_refused_key_stops_the_provider(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    let refusal = Refusal::Misconfigured { message: "not registered".into() };
    b.refuse(&b.claim_one(Ocean).await, 403, refusal).await;
    b.check("refused").await;
    assert_eq!(closed_for(b, "misconfigured").await, None);
    let reason =
        "SELECT COUNT(*) FROM provider_status WHERE gate_reason = 'misconfigured: not registered'";
    assert_eq!(b.database.number(reason).await, 1);
    b.advance(48 * HOUR).await;
    assert_eq!(closed_for(b, "misconfigured").await, None);
    b.register(jobs::WorkerId::generate(), Some("key"), Some("url")).await;
    assert_eq!(closed_for(b, "misconfigured").await, None);
    b.register(jobs::WorkerId::generate(), Some("another key"), Some("url")).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 3);
}

fn unavailable() -> Refusal {
    Refusal::Unavailable { message: "connection refused".into(), retry_after: None }
}

async fn an_unavailable_provider_is_asked_again_until_enough(b: &Bench) {
    let batch = b.submit(&[clodura("c1")]).await;
    for attempt in 1..=8 {
        let call = b.claim_one(Clodura).await;
        b.refuse(&call, 503, unavailable()).await;
        b.check("refused").await;
        let row = b.shown(batch).await.remove(0);
        assert_eq!(row.attempts, attempt);
        assert_eq!(row.state, if attempt == 8 { "failed" } else { "retrying" });
        b.database.run("UPDATE provider_gates SET broken_streak = 0").await;
        b.advance(b.policy.retry_max).await;
    }
    assert!(b.claim(Clodura).await.is_empty());
}

async fn five_broken_answers_close_the_gate(b: &Bench) {
    b.submit(&oceans(1..=12)).await;
    let calls = b.claim_as(ClaimReveals { people: 1, calls: 7, ..b.ask(Ocean) }).await;
    for call in &calls[..4] {
        b.refuse(call, 503, unavailable()).await;
    }
    assert_eq!(gate(b, Ocean).await.0, "open");
    b.unknown(&calls[4]).await;
    assert_eq!(closed_for(b, "provider_broken").await, Some(MINUTE));
    b.accept(&calls[5]).await;
    b.unknown(&calls[6]).await;
    b.advance(MINUTE).await;
    assert_eq!(closed_for(b, "provider_broken").await, Some(Duration::ZERO));
}

async fn after_a_broken_answer_little_is_at_risk(b: &Bench) {
    b.submit(&oceans(1..=2_000)).await;
    b.unknown(&b.claim_as(ClaimReveals { calls: 1, ..b.ask(Ocean) }).await[0]).await;
    for _ in 0..3 {
        let small = b.claim_one(Ocean).await;
        assert_eq!(small.people.len(), 1);
        b.unknown(&small).await;
    }
    b.accept(&b.claim_one(Ocean).await).await;
    assert!(b.claim(Ocean).await[0].people.len() > 400);
}

async fn undocumented(b: &Bench, call: &store::ClaimedCall) {
    let answer = crate::harness::answer(call, 200);
    b.store.calls().answer_undocumented(answer, None, "HTTP 200".into(), &b.policy).await.unwrap();
    b.check("an undocumented answer").await;
}

async fn an_undocumented_answer_may_be_an_acceptance_and_the_next_one_waits(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(MINUTE), ..b.policy.clone() };
    let batch = b.submit(&oceans(1..=9)).await;
    let ask = ClaimReveals { people: 3, calls: 1, ..b.ask(Ocean) };
    let first = b.claim_as(ask.clone()).await.remove(0);
    undocumented(b, &first).await;
    assert_eq!(closed_for(b, "provider_broken").await, Some(MINUTE));
    assert_eq!(b.states(batch).await[..3], ["awaiting", "awaiting", "awaiting"]);
    // Its results show that such an answer is an acceptance, for this once.
    b.webhook(&first, vec![found("o1"), found("o2"), found("o3")]).await;
    assert_eq!(gate(b, Ocean).await.0, "open");
    let second = b.claim_as(ask).await.remove(0);
    undocumented(b, &second).await;
    b.advance(HOUR).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 0, "never sent again");
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_pause_that_ends_opens_no_closed_gate(b: &Bench) {
    b.submit(&oceans(1..=4)).await;
    let day = Refusal::RateLimited { retry_after: Some(24 * HOUR) };
    b.refuse(&b.claim_one(Ocean).await, 429, day).await;
    b.store.gates().pause(Ocean).await.unwrap();
    let resumed = b.store.gates().resume(Ocean).await.unwrap();
    assert_eq!((resumed.was_paused, resumed.done), (true, jobs::gate::Resume::Unpause));
    assert_eq!(closed_for(b, "rate_limited").await, Some(24 * HOUR));
    // A second resume overrides the rate limit: one request is tried.
    assert_eq!(b.store.gates().resume(Ocean).await.unwrap().done, jobs::gate::Resume::TryNow);
    let probe = b.claim_one(Ocean).await;
    assert!(b.claim(Ocean).await.is_empty());
    b.accept(&probe).await;
    assert_eq!(b.store.gates().resume(Ocean).await.unwrap().done, jobs::gate::Resume::Nothing);
}

async fn a_busy_provider_names_its_time(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let busy =
        Refusal::Unavailable { message: "maintenance".into(), retry_after: Some(10 * MINUTE) };
    b.refuse(&b.claim_one(Ocean).await, 503, busy).await;
    assert_eq!(closed_for(b, "provider_broken").await, Some(10 * MINUTE));
    assert_eq!(b.shown(batch).await[0].attempts, 0);
}

async fn an_answer_after_the_worker_was_given_up_still_counts(b: &Bench) {
    let batch = b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.clock.advance(MINUTE);
    assert_eq!(b.store.sweep_overdue(&b.policy).await.unwrap().taken_over, 1);
    b.check("taken over").await;
    b.accept_with(&call, Some("t1")).await;
    b.check("accepted after all").await;
    assert_eq!(b.shown(batch).await[0].tracking_id.as_deref(), Some("t1"));
    let accepted = "SELECT COUNT(*) FROM calls WHERE state = 'accepted'";
    assert_eq!(b.database.number(accepted).await, 1, "it is known to be paid for now");
}

async fn an_answer_after_its_webhook_changes_nothing(b: &Bench) {
    let batch = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.webhook(&call, vec![found("o1")]).await;
    b.check("found").await;
    b.accept(&call).await;
    b.check("accepted").await;
    b.refuse(&call, 402, Refusal::CreditsInsufficient).await;
    b.unknown(&call).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn a_probe_that_was_not_sent_is_tried_again(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsPending).await;
    b.advance(MINUTE).await;
    b.store.calls().give_back(b.claim_one(Ocean).await, "suspended".into()).await.unwrap();
    b.check("given back").await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 1);
}
