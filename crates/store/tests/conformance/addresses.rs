//! A webhook address that has leaked: bodies sent to it are kept once, their number is bounded, and no final result changes.

use jobs::Provider::Ocean;
use jobs::Reception;
use jobs::outcome::{Finding, Phone};
use store::{Applied, ClaimedCall, NewWebhook};

use crate::harness::people::oceans;
use crate::harness::{Bench, HOUR, brought_by, found, not_found, on_both, result};

on_both!(
    a_body_is_kept_once_and_logged_each_time,
    one_that_can_be_read_now_is_applied,
    an_address_takes_so_many_bodies,
    bodies_that_come_at_once_are_counted,
    an_acknowledged_body_is_kept_whatever_came_before,
    an_address_ends_a_while_after_its_results,
    a_final_result_is_corrected_by_a_real_number_only,
    the_secret_is_replaced_in_the_audit_log,
);

async fn out(b: &Bench, people: u32) -> (i64, ClaimedCall) {
    let batch = b.submit(&oceans(1..=people)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    (batch, call)
}

fn webhook(call: &ClaimedCall, body: &[u8], malformed: bool) -> NewWebhook {
    let call_id = call.call_id.to_string();
    NewWebhook { provider: Ocean, call_id, body: body.to_vec(), malformed }
}

async fn came(b: &Bench, call: &ClaimedCall, body: &[u8], malformed: bool) -> Reception {
    b.store.results().store_webhook(webhook(call, body, malformed)).await.unwrap()
}

/// Counts of kept bodies, of log entries, and of webhooks that wait to be applied.
async fn inbox(b: &Bench) -> [i64; 3] {
    let mut counts = [0; 3];
    for (count, wanted) in counts.iter_mut().zip(["body IS NOT NULL", "TRUE", "outcome IS NULL"]) {
        let sql = format!("SELECT COUNT(*) FROM webhook_inbox WHERE {wanted}");
        *count = b.database.number(&sql).await;
    }
    counts
}

async fn a_body_is_kept_once_and_logged_each_time(b: &Bench) {
    let (_, call) = out(b, 2).await;
    for kept in [[1, 1, 1], [1, 2, 1], [1, 3, 1]] {
        came(b, &call, b"one", false).await;
        assert_eq!(inbox(b).await, kept);
    }
    came(b, &call, b"two", false).await;
    assert_eq!(inbox(b).await, [2, 4, 2]);
    let duplicates = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'duplicate'";
    assert_eq!(b.database.number(duplicates).await, 2);
}

async fn one_that_can_be_read_now_is_applied(b: &Bench) {
    let (batch, call) = out(b, 1).await;
    came(b, &call, b"new words", true).await;
    came(b, &call, b"new words", true).await;
    assert_eq!(inbox(b).await, [1, 1, 0]);
    // After an upgrade the same webhook comes once more.
    came(b, &call, b"new words", false).await;
    assert_eq!(inbox(b).await, [1, 2, 1]);
    let stored = b.store.results().pending_webhooks(10, 1 << 20).await.unwrap().remove(0);
    let delivery = brought_by(&stored, [found("o1")]);
    b.store.results().settle(vec![delivery], &b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn reception(b: &Bench, call: &ClaimedCall, bytes: usize) -> Reception {
    b.store.results().reception(&call.call_id.to_string(), bytes).await.unwrap()
}

async fn an_address_takes_so_many_bodies(b: &Bench) {
    let (_, call) = out(b, 2).await;
    for n in 0..4_u8 {
        assert_eq!(reception(b, &call, 4 << 20).await, Reception::Open);
        assert_eq!(came(b, &call, &vec![n; 4 << 20], false).await, Reception::Open);
    }
    assert_eq!(reception(b, &call, 4 << 20).await, Reception::Full);
    assert_eq!(came(b, &call, &vec![4; 4 << 20], false).await, Reception::Full);
    for n in 4..100_u8 {
        assert_eq!(reception(b, &call, 100 << 10).await, Reception::Open);
        assert_eq!(came(b, &call, &[n], false).await, Reception::Open);
    }
    assert_eq!(reception(b, &call, 1).await, Reception::Full);
    assert_eq!(inbox(b).await, [100; 3]);
    for (body, malformed) in [(&[4][..], false), (&[100], false), (&[101], true)] {
        assert_eq!(came(b, &call, body, malformed).await, Reception::Full);
    }
    assert_eq!(inbox(b).await, [100; 3], "nothing is written of a body that is refused");
}

async fn bodies_that_come_at_once_are_counted(b: &Bench) {
    let (_, call) = out(b, 2).await;
    let coming = (0..150_u8).map(|n| {
        let (store, webhook) = (b.store.clone(), webhook(&call, &[n], false));
        async move { store.results().store_webhook(webhook).await.unwrap() }
    });
    let receptions = futures::future::join_all(coming).await;
    let taken = receptions.iter().filter(|reception| **reception == Reception::Open).count();
    assert_eq!((taken, receptions.len()), (100, 150));
    assert_eq!(inbox(b).await, [100; 3]);
}

async fn an_acknowledged_body_is_kept_whatever_came_before(b: &Bench) {
    let (_, call) = out(b, 2).await;
    for n in 0..100_u8 {
        came(b, &call, &[n], false).await;
    }
    let body = || webhook(&call, b"spooled", false);
    let refused = (0..10).map(|_| b.store.results().store_webhook(body()));
    let kept = b.store.results().store_acknowledged(body());
    let (refused, kept) = futures::join!(futures::future::join_all(refused), kept);
    kept.unwrap();
    assert!(refused.into_iter().all(|one| one.unwrap() == Reception::Full));
    assert_eq!(inbox(b).await, [101; 3]);
}

async fn an_address_ends_a_while_after_its_results(b: &Bench) {
    let (batch, call) = out(b, 2).await;
    b.webhook(&call, vec![found("o1")]).await;
    b.advance(30 * 24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["found", "expired"]);
    assert_eq!(reception(b, &call, 1).await, Reception::Open, "its result is paid for");
    b.webhook(&call, vec![not_found("o2")]).await;
    b.advance(7 * 24 * HOUR).await;
    assert_eq!(reception(b, &call, 1).await, Reception::Open);
    b.advance(HOUR).await;
    assert_eq!(reception(b, &call, 1).await, Reception::Ended);
    assert_eq!(came(b, &call, b"late", false).await, Reception::Ended);
}

async fn a_final_result_is_corrected_by_a_real_number_only(b: &Bench) {
    let (batch, call) = out(b, 1).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    let phones = vec![Phone::new("12".into(), None, None, None)];
    let odd = result("o1", Finding::Found { phones, credits: None });
    assert_eq!(b.webhook(&call, vec![odd]).await, Applied::Malformed, "kept, and told of");
    assert_eq!(b.states(batch).await, ["not_found"]);
    let spent = "SELECT CAST(SUM(credits_spent) AS BIGINT) FROM batch_spend";
    assert_eq!(b.database.number(spent).await, 0);
    assert_eq!(b.webhook(&call, vec![found("o1")]).await, Applied::Applied);
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn the_secret_is_replaced_in_the_audit_log(b: &Bench) {
    let actor = store::Actor::new(store::Origin::Enqueue, "ada", None);
    b.store.acting_as(actor).settings().rotate_webhook_secret().await.unwrap();
    let entry: (String, String) = b.database.one("SELECT action, details FROM audit_log").await;
    assert_eq!(entry, ("rotate".to_owned(), "webhook-secret".to_owned()));
    assert_eq!(b.store.settings().webhook_secrets().await.unwrap().len(), 2);
}
