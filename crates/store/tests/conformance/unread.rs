//! Unreadable answers: they are kept, reported and replayed, and they stop further spending.

use jobs::Provider::Ocean;
use jobs::outcome::Finding;
use store::{Applied, ClaimReveals, ClaimedCall, NewWebhook};

use crate::harness::people::oceans;
use crate::harness::{Bench, SECOND, brought_by, found, on_both, result};

on_both!(
    spending_stops_until_an_answer_can_be_read,
    a_found_person_without_a_number_stays_open,
    a_number_ends_the_doubt_that_numbers_raised,
    resuming_by_hand_ends_the_doubt,
    a_body_is_stored_once,
    what_was_unreadable_is_replayed,
    a_replay_of_what_was_applied_changes_nothing,
);

async fn unreadable(b: &Bench, call: &ClaimedCall, body: &[u8]) {
    let call_id = call.call_id.to_string();
    let webhook = NewWebhook { provider: Ocean, call_id, body: body.to_vec(), malformed: true };
    b.store.results().store_webhook(webhook).await.unwrap();
}

fn ask(b: &Bench) -> ClaimReveals {
    ClaimReveals { people: 20, ..b.ask(Ocean) }
}

async fn call(b: &Bench) -> ClaimedCall {
    b.advance(SECOND).await;
    let mut calls = b.claim_as(ClaimReveals { calls: 1, ..ask(b) }).await;
    let call = calls.remove(0);
    b.accept(&call).await;
    b.advance(SECOND).await;
    call
}

/// The id under which a call's person is asked.
fn id(call: &ClaimedCall, n: usize) -> &str {
    call.people[n].strip_prefix("ocean:").expect("one of Ocean's")
}

async fn gate_reason(b: &Bench) -> Option<String> {
    let reason: (Option<String>,) =
        b.database.one("SELECT gate_reason FROM provider_status WHERE provider = 'ocean'").await;
    reason.0
}

async fn spending_stops_until_an_answer_can_be_read(b: &Bench) {
    b.submit(&oceans(1..=200)).await;
    let first = call(b).await;
    assert_eq!(first.people.len(), 20);
    unreadable(b, &first, b"<html>").await;
    assert_eq!(gate_reason(b).await.as_deref(), Some("unreadable_webhook"));
    // One small request finds out whether only that body was unreadable.
    let small = call(b).await;
    assert_eq!(small.people.len(), 1);
    assert!(b.claim_as(ask(b)).await.is_empty(), "its results are out");
    unreadable(b, &small, b"<html>").await;
    assert!(b.claim_as(ask(b)).await.is_empty(), "its results still are");
    let held = b.store.reports().blocked_by().await.unwrap();
    assert!(held.values().flatten().any(|line| line.contains("can't be read")), "{held:?}");
    let readable = b.webhook(&small, vec![found(id(&small, 0))]).await;
    assert_eq!(readable, Applied::Applied);
    assert_eq!(gate_reason(b).await, None);
    assert_eq!(b.claim_as(ask(b)).await.iter().map(|c| c.people.len()).sum::<usize>(), 179);
}

async fn a_found_person_without_a_number_stays_open(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let out = call(b).await;
    let (one, two) = (id(&out, 0), id(&out, 1));
    let half = vec![result(one, Finding::Unreadable), found(two)];
    assert_eq!(b.webhook(&out, half).await, Applied::Malformed, "kept for a replay");
    assert_eq!(b.states(batch).await, ["awaiting", "found"]);
    assert_eq!(b.webhook(&out, vec![found(one)]).await, Applied::Applied);
    assert_eq!(b.states(batch).await, ["found", "found"]);
    // The same webhook again takes no result away.
    let again = vec![result(one, Finding::Unreadable)];
    assert_eq!(b.webhook(&out, again).await, Applied::Duplicate);
    assert_eq!(b.states(batch).await, ["found", "found"]);
}

async fn a_number_ends_the_doubt_that_numbers_raised(b: &Bench) {
    b.submit(&oceans(1..=60)).await;
    let out = call(b).await;
    let unread = (0..20).map(|n| result(id(&out, n), Finding::Unreadable));
    assert_eq!(b.webhook(&out, unread.collect()).await, Applied::Malformed);
    assert_eq!(gate_reason(b).await.as_deref(), Some("unreadable_numbers"));
    let small = call(b).await;
    assert_eq!(small.people.len(), 1);
    // A 'not found' doesn't show whether numbers can be read.
    b.webhook(&small, vec![result(id(&small, 0), Finding::NotFound)]).await;
    assert_eq!(gate_reason(b).await.as_deref(), Some("unreadable_numbers"));
    let small = call(b).await;
    b.webhook(&small, vec![found(id(&small, 0))]).await;
    assert_eq!(gate_reason(b).await, None);
}

async fn resuming_by_hand_ends_the_doubt(b: &Bench) {
    b.submit(&oceans(1..=60)).await;
    let out = call(b).await;
    unreadable(b, &out, b"?").await;
    assert!(b.store.gates().resume(Ocean).await.unwrap().was_unread);
    assert_eq!(gate_reason(b).await, None);
    assert_eq!(call(b).await.people.len(), 20);
    assert!(!b.store.gates().resume(Ocean).await.unwrap().was_unread);
}

async fn a_body_is_stored_once(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    let out = call(b).await;
    let stored = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'malformed'";
    for (body, n) in [(b"one", 1), (b"one", 1), (b"two", 2), (b"one", 2)] {
        unreadable(b, &out, body).await;
        assert_eq!(b.database.number(stored).await, n);
    }
}

async fn what_was_unreadable_is_replayed(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let out = call(b).await;
    unreadable(b, &out, b"new words").await;
    let stored = async |outcome: &str| {
        let call = out.call_id.to_string();
        b.store.results().stored_webhooks(outcome, Some(&call), 0, 10).await.unwrap()
    };
    let kept = stored("malformed").await;
    assert_eq!(kept.iter().map(|w| &*w.body).collect::<Vec<_>>(), [b"new words"]);
    assert!(
        b.store
            .results()
            .stored_webhooks("malformed", Some("another"), 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let delivery = brought_by(&kept[0], (0..2).map(|n| found(id(&out, n))));
    let applied = b.store.results().replay(delivery.clone(), &b.policy).await.unwrap();
    assert_eq!(applied, Some(Applied::Applied));
    assert_eq!(b.states(batch).await, ["found", "found"]);
    assert_eq!((stored("malformed").await.len(), stored("applied").await.len()), (0, 1));
    let again = b.store.results().replay(delivery, &b.policy).await.unwrap();
    assert_eq!(again, Some(Applied::Duplicate));
    assert_eq!(stored("applied").await.len(), 1, "it stays what it was");
}

async fn a_replay_of_what_was_applied_changes_nothing(b: &Bench) {
    let batch = b.submit(&oceans(1..=1)).await;
    let out = call(b).await;
    let results = vec![found(id(&out, 0))];
    b.webhook(&out, results.clone()).await;
    let spent = "SELECT CAST(SUM(credits_spent) AS BIGINT) FROM batch_spend";
    let before = b.database.number(spent).await;
    let kept = b.store.results().stored_webhooks("applied", None, 0, 10).await.unwrap().remove(0);
    let delivery = brought_by(&kept, results);
    b.store.results().replay(delivery.clone(), &b.policy).await.unwrap();
    assert_eq!(b.database.number(spent).await, before);
    assert_eq!(b.states(batch).await, ["found"]);
    let mut gone = delivery;
    gone.inbox = gone.inbox.map(|inbox| inbox + 1);
    assert_eq!(b.store.results().replay(gone, &b.policy).await.unwrap(), None);
}
