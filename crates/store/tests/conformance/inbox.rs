//! Webhooks that were stored and wait to be applied.

use std::sync::Arc;
use std::time::Duration;

use jobs::Provider::Ocean;
use store::{NewWebhook, NextWebhook, StoreError};

use crate::harness::people::oceans;
use crate::harness::{Bench, MINUTE, SECOND, brought_by, found, on_both};

on_both!(
    it_gives_what_fits,
    what_can_t_be_applied_is_put_off_and_kept,
    what_was_applied_is_not_applied_again,
    malformed_bodies_are_kept_separately,
    a_body_leaves_memory_when_its_caller_gives_up,
    what_was_committed_late_is_applied,
);

fn webhook(bytes: usize, malformed: bool) -> NewWebhook {
    let call_id = jobs::CallId::generate().to_string();
    NewWebhook { provider: Ocean, call_id, body: vec![b'x'; bytes], malformed }
}

async fn store_body(b: &Bench, bytes: usize, malformed: bool) {
    b.store.results().store_webhook(webhook(bytes, malformed)).await.unwrap();
}

async fn it_gives_what_fits(b: &Bench) {
    for bytes in [100, 200, 300] {
        store_body(b, bytes, false).await;
    }
    let sizes = async |most, bytes| {
        let pending = b.store.results().pending_webhooks(most, bytes).await.unwrap();
        pending.into_iter().map(|w| w.body.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(10, 1000).await, [100, 200, 300]);
    assert_eq!(sizes(2, 1000).await, [100, 200]);
    assert_eq!(sizes(10, 300).await, [100, 200]);
    assert_eq!(sizes(10, 1).await, [100], "one goes, however large");
}

async fn what_can_t_be_applied_is_put_off_and_kept(b: &Bench) {
    store_body(b, 100, false).await;
    store_body(b, 200, false).await;
    let pending = async || b.store.results().pending_webhooks(10, 1000).await.unwrap();
    let first = pending().await.remove(0).id;
    let mut waits = Vec::new();
    for failures in 1..=11 {
        let put_off = b.store.results().put_off_webhook(first).await.unwrap().unwrap();
        assert_eq!(put_off.failures, failures);
        let others: Vec<usize> = pending().await.iter().map(|w| w.body.len()).collect();
        assert_eq!(others, [200], "it keeps no other waiting");
        let wait = put_off.retry_at.since(b.clock.now());
        waits.push(wait.as_secs());
        b.advance(wait).await;
        assert_eq!(pending().await[0].id, first);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    let put_off = b.store.results().put_off_webhook(first).await.unwrap().unwrap();
    b.store.results().mark_malformed(pending().await[0].id).await.unwrap();
    let next = b.store.results().next_webhook().await.unwrap();
    assert_eq!(next, NextWebhook::PutOff(put_off.retry_at));
    let backlog = b.store.results().inbox_backlog().await.unwrap();
    assert_eq!((backlog.waiting, backlog.failing), (1, 1));
    assert_eq!(backlog.retry_at, Some(put_off.retry_at));
    b.advance(5 * MINUTE).await;
    assert_eq!(b.store.results().next_webhook().await.unwrap(), NextWebhook::Waits);
    b.store.results().mark_malformed(first).await.unwrap();
    assert_eq!(b.store.results().put_off_webhook(first).await.unwrap(), None);
    assert_eq!(b.store.results().next_webhook().await.unwrap(), NextWebhook::None);
}

async fn what_was_applied_is_not_applied_again(b: &Bench) {
    b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    store_body(b, 10, false).await;
    let stored = b.store.results().pending_webhooks(1, 1000).await.unwrap().remove(0);
    let delivery = brought_by(&stored, [found("o1")]);
    b.store.results().settle(vec![delivery.clone()], &b.policy).await.unwrap();
    assert!(b.store.results().pending_webhooks(1, 1000).await.unwrap().is_empty());
    let again = b.store.results().settle(vec![delivery], &b.policy).await;
    assert!(matches!(again, Err(StoreError::Lost { .. })));
}

async fn malformed_bodies_are_kept_separately(b: &Bench) {
    store_body(b, 10, true).await;
    store_body(b, 20, false).await;
    let stored = b.store.results().pending_webhooks(10, 1000).await.unwrap();
    assert_eq!(stored.iter().map(|w| w.body.len()).collect::<Vec<_>>(), [20]);
    b.store.results().mark_malformed(stored[0].id).await.unwrap();
    assert!(b.store.results().pending_webhooks(10, 1000).await.unwrap().is_empty());
    let log = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'malformed'";
    assert_eq!(b.database.number(log).await, 2);
}

/// When the database is away, the worker stops waiting and writes the body to a file. The body must not stay in memory, too.
async fn a_body_leaves_memory_when_its_caller_gives_up(b: &Bench) {
    let mut held = b.database.hold_writes("webhook_inbox").await;
    let store = b.store.clone();
    let first =
        tokio::spawn(async move { store.results().store_webhook(webhook(100, false)).await });
    held.until_blocking().await;
    let second = Arc::new(webhook(200, false));
    let storing = b.store.results().store_webhook(Arc::clone(&second));
    tokio::time::timeout(Duration::from_millis(50), storing)
        .await
        .expect_err("it can't be written");
    assert_eq!(Arc::strong_count(&second), 1);
    drop(second);
    held.release().await;
    first.await.unwrap().unwrap();
    store_body(b, 300, false).await;
    let sizes: Vec<_> =
        b.database.all::<(i64,)>("SELECT bytes FROM webhook_inbox ORDER BY id").await;
    assert_eq!(sizes, [(100,), (300,)]);
}

/// Ids are given out before the commit, so a slow transaction may add a webhook before others that are done with.
async fn what_was_committed_late_is_applied(b: &Bench) {
    let store = async |id: i64| {
        store_body(b, 100, false).await;
        b.database.run(&format!("UPDATE webhook_inbox SET id = {id} WHERE outcome IS NULL")).await;
    };
    let next = async || b.store.results().next_webhook().await.unwrap();
    let pending = async || {
        let pending = b.store.results().pending_webhooks(10, 1000).await.unwrap();
        pending.into_iter().map(|webhook| webhook.id).collect::<Vec<_>>()
    };
    for id in [10, 20, 30] {
        store(id).await;
        assert_eq!((next().await, pending().await), (NextWebhook::Waits, vec![id]));
        b.store.results().mark_malformed(id).await.unwrap();
        b.advance(5 * SECOND).await;
    }
    store(5).await;
    assert_eq!(next().await, NextWebhook::None, "looks don't begin at the first webhook each time");
    b.advance(60 * SECOND).await;
    assert_eq!((next().await, pending().await), (NextWebhook::Waits, vec![5]));
}
