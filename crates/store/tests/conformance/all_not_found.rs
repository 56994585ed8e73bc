//! An answer that all people get is no person's result, and the end of one of a provider's faults ends no other fault.

use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Balance, Refusal};
use jobs::{Credits, PerPerson};
use store::{Answer, ClaimReveals, ClaimedCall};

use crate::harness::people::{Who, clodura, ocean, oceans};
use crate::harness::{Bench, FAST, HOUR, MINUTE, found, not_found, on_both};

on_both!(
    a_404_for_all_is_no_person_s_result,
    calls_that_were_out_when_404s_were_doubted_say_nothing_about_people,
    many_404s_at_once_leave_none_to_be_believed_behind_them,
    a_404_among_orders_that_are_taken_is_a_result,
    rows_that_went_on_by_such_a_404_come_back,
    who_was_asked_elsewhere_meanwhile_is_left_there,
    the_user_can_vouch_for_404s,
    credits_that_come_back_leave_a_gate_on_probation,
    polls_and_balances_end_no_streak_of_broken_orders,
);

/// The longest run of 404s that is believed while no 404 is confirmed.
const LONGEST: u32 = 50;

fn cloduras(n: u32) -> Vec<Who> {
    (1..=n).map(|n| clodura(&format!("c{n}"))).collect()
}

/// People for whom Clodura is asked first, then Ocean.
fn in_turn(n: u32) -> Vec<Who> {
    let both = |n| ocean(&format!("o{n}")).clodura(&format!("c{n}")).by(&[Clodura, Ocean]);
    (1..=n).map(both).collect()
}

async fn no_number(b: &Bench, call: &ClaimedCall) {
    let answer = Answer { call: call.clone(), http_status: Some(404) };
    b.store.calls().answer_not_found(answer, &b.policy).await.expect("written down");
}

async fn claim_some(b: &Bench, calls: usize) -> Vec<ClaimedCall> {
    b.claim_as(ClaimReveals { calls, ..b.ask(Clodura) }).await
}

/// Answers the next `n` calls with 404.
async fn all_without_number(b: &Bench, n: u32) {
    for call in claim_some(b, n as usize).await {
        no_number(b, &call).await;
    }
}

async fn gate(b: &Bench, provider: jobs::Provider) -> (String, Option<String>) {
    let provider = provider.as_str();
    let sql = format!("SELECT state, reason FROM provider_gates WHERE provider = '{provider}'");
    b.database.one(&sql).await
}

fn closed(reason: &str) -> (String, Option<String>) {
    ("closed".into(), Some(reason.into()))
}

async fn a_404_for_all_is_no_person_s_result(b: &Bench) {
    let batch = b.submit(&cloduras(200)).await;
    all_without_number(b, LONGEST).await;
    assert_eq!(b.count(batch, "not_found").await, LONGEST as usize);
    // The calls are out together, and answered one after the other.
    let out = claim_some(b, 32).await;
    for call in &out {
        no_number(b, call).await;
        b.check("doubted").await;
    }
    assert_eq!(gate(b, Clodura).await, closed("everything_refused"));
    assert_eq!(b.count(batch, "not_found").await, 0);
    assert!(b.claim(Clodura).await.is_empty());
    for minutes in [1, 2, 4, 8] {
        b.advance(minutes * MINUTE).await;
        let probe = b.claim_one(Clodura).await;
        no_number(b, &probe).await;
        b.check("a trial in vain").await;
        assert_eq!(gate(b, Clodura).await, closed("everything_refused"));
        assert!(b.claim(Clodura).await.is_empty());
    }
    assert_eq!(b.count(batch, "not_found").await, 0, "nobody is so by repetition");
    b.advance(HOUR).await;
    b.accept(&b.claim_one(Clodura).await).await;
    assert_eq!(gate(b, Clodura).await, ("open".into(), None));
    let people = "SELECT CAST(SUM(people_asked) AS BIGINT) FROM batch_spend";
    assert_eq!(b.database.number(people).await, 1, "nobody else was asked, as it turned out");
    let next = claim_some(b, 1).await.remove(0);
    no_number(b, &next).await;
    assert_eq!(b.count(batch, "not_found").await, 1, "it is about the person again");
    b.check_paid_once().await;
}

/// The endpoint works again before the last of its wrong answers is written down.
async fn calls_that_were_out_when_404s_were_doubted_say_nothing_about_people(b: &Bench) {
    let batch = b.submit(&cloduras(200)).await;
    all_without_number(b, LONGEST).await;
    let out = claim_some(b, 12).await;
    let (first, last) = out.split_at(2);
    for call in first {
        no_number(b, call).await;
    }
    assert_eq!(gate(b, Clodura).await, closed("everything_refused"));
    b.advance(MINUTE).await;
    b.accept(&b.claim_one(Clodura).await).await;
    assert_eq!(gate(b, Clodura).await, ("open".into(), None));
    for call in last {
        no_number(b, call).await;
        b.check("answered late").await;
    }
    assert_eq!(gate(b, Clodura).await, ("open".into(), None), "they close nothing");
    assert_eq!(b.count(batch, "not_found").await, 0);
    all_without_number(b, 1).await;
    assert_eq!(b.count(batch, "not_found").await, 1, "a call that was sent since is believed");
    b.check_paid_once().await;
}

/// 404s that are written down together are doubted together. The few that follow belong to the same run.
async fn many_404s_at_once_leave_none_to_be_believed_behind_them(b: &Bench) {
    let batch = b.submit(&cloduras(200)).await;
    all_without_number(b, LONGEST - 10).await;
    let out = claim_some(b, 32).await;
    let (together, behind) = out.split_at(28);
    futures::future::join_all(together.iter().map(|call| no_number(b, call))).await;
    for call in behind {
        no_number(b, call).await;
    }
    b.check("doubted").await;
    assert_eq!(gate(b, Clodura).await, closed("everything_refused"));
    assert_eq!(b.count(batch, "not_found").await, 0);
}

async fn a_404_among_orders_that_are_taken_is_a_result(b: &Bench) {
    let batch = b.submit(&cloduras(300)).await;
    for _ in 0..6 {
        all_without_number(b, LONGEST - 1).await;
        b.accept(&claim_some(b, 1).await[0]).await;
        assert_eq!(gate(b, Clodura).await.0, "open");
    }
    assert_eq!(b.count(batch, "not_found").await, 6 * (LONGEST as usize - 1));
}

async fn rows_that_went_on_by_such_a_404_come_back(b: &Bench) {
    let batch = b.submit(&in_turn(LONGEST + 1)).await;
    all_without_number(b, LONGEST).await;
    assert_eq!(
        b.database.number("SELECT COUNT(*) FROM row_status WHERE provider = 'ocean'").await,
        50
    );
    all_without_number(b, 1).await;
    b.check("doubted").await;
    assert_eq!(
        b.database.number("SELECT COUNT(*) FROM row_status WHERE provider = 'ocean'").await,
        0
    );
    assert!(b.claim(Ocean).await.is_empty());
    assert_eq!(b.count(batch, "not_found").await, 0);
}

async fn who_was_asked_elsewhere_meanwhile_is_left_there(b: &Bench) {
    let batch = b.submit(&in_turn(LONGEST + 1)).await;
    all_without_number(b, LONGEST).await;
    let call = b.claim_as(ClaimReveals { people: 10, calls: 1, ..b.ask(Ocean) }).await.remove(0);
    all_without_number(b, 1).await;
    b.check("doubted").await;
    b.accept(&call).await;
    let ids: Vec<&str> = call.people.iter().filter_map(|p| p.strip_prefix("ocean:")).collect();
    let mut results: Vec<_> = ids[..5].iter().map(|id| found(id)).collect();
    results.extend(ids[5..].iter().map(|id| not_found(id)));
    b.webhook(&call, results).await;
    assert_eq!((b.count(batch, "found").await, b.count(batch, "not_found").await), (5, 5));
    let waiting = "SELECT COUNT(*) FROM row_status WHERE provider = 'clodura' AND state IN ('queued', 'retrying')";
    assert_eq!(b.database.number(waiting).await, 41);
}

async fn the_user_can_vouch_for_404s(b: &Bench) {
    let batch = b.submit(&cloduras(120)).await;
    all_without_number(b, LONGEST + 1).await;
    assert_eq!(gate(b, Clodura).await, closed("everything_refused"));
    b.store.gates().resume(Clodura).await.unwrap();
    no_number(b, &b.claim_one(Clodura).await).await;
    assert_eq!(gate(b, Clodura).await.0, "open");
    all_without_number(b, 119).await;
    b.check("all are believed").await;
    assert_eq!(b.count(batch, "not_found").await, 120);
}

async fn balance(b: &Bench, credits: i64) {
    let claimed =
        b.store.gates().claim_balance(Ocean, FAST).await.unwrap().0.expect("a balance is due");
    let balance = Balance { credits: Credits::whole(credits), tariff: None, daily: None };
    let price = PerPerson::Fixed(Credits::whole(1));
    b.store
        .gates()
        .record_balance(claimed, Ok(balance), Some(200), price, &b.policy)
        .await
        .unwrap();
}

/// Sends an order for one person whose outcome stays unknown.
async fn break_once(b: &Bench) {
    let one = ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) };
    b.unknown(&b.claim_as(one).await.remove(0)).await;
}

fn small(b: &Bench) -> ClaimReveals {
    ClaimReveals { people: 20, calls: 4, ..b.ask(Ocean) }
}

async fn credits_that_come_back_leave_a_gate_on_probation(b: &Bench) {
    b.submit(&oceans(1..=200)).await;
    balance(b, 1000).await;
    for _ in 0..5 {
        break_once(b).await;
    }
    assert_eq!(gate(b, Ocean).await, closed("provider_broken"));
    // Twice a balance succeeds and the next order fails, so the wait doubles twice.
    for minutes in [1, 2] {
        b.advance(minutes * MINUTE).await;
        balance(b, 1000).await;
        break_once(b).await;
    }
    b.advance(4 * MINUTE).await;
    balance(b, 1000).await;
    // The next order says that the account is empty; then the account is topped up.
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsInsufficient).await;
    assert_eq!(gate(b, Ocean).await, closed("credits_insufficient"));
    balance(b, 0).await;
    b.advance(HOUR).await;
    balance(b, 5000).await;
    assert_eq!(gate(b, Ocean).await, ("probing".into(), Some("provider_broken".into())));
    let probe = b.claim_as(small(b)).await;
    assert_eq!(probe.iter().map(|call| call.people.len()).collect::<Vec<_>>(), [1]);
    b.unknown(&probe[0]).await;
    let until = "SELECT closed_until FROM provider_gates WHERE provider = 'ocean'";
    let until = Duration::from_millis((b.database.number(until).await - b.store.now().0) as u64);
    assert_eq!(until, 8 * MINUTE, "the backoff goes on where it was");
    b.advance(until).await;
    balance(b, 5000).await;
    b.accept(&b.claim_one(Ocean).await).await;
    assert!(b.claim_as(small(b)).await.len() > 1, "an order was taken");
}

async fn polls_and_balances_end_no_streak_of_broken_orders(b: &Bench) {
    b.submit(&oceans(1..=200)).await;
    balance(b, 1000).await;
    for _ in 0..4 {
        break_once(b).await;
        b.database.run("UPDATE provider_gates SET balance_due_at = 0").await;
        balance(b, 1000).await;
    }
    assert_eq!(gate(b, Ocean).await.0, "open");
    break_once(b).await;
    assert_eq!(gate(b, Ocean).await, closed("provider_broken"));
}
