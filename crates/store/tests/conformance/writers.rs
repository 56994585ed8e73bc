//! Many writes at once: each is answered, and none harms another.

use std::sync::Arc;

use jobs::Provider::Ocean;
use jobs::{CallId, WorkerId};
use store::{ClaimReveals, NewWebhook, Store, StoreError};
use tokio::sync::Barrier;

use crate::harness::people::{Options, oceans, rows};
use crate::harness::{Bench, HOUR, answer, delivery, found, not_found, on_both};

on_both!(
    many_writes_are_all_answered,
    a_failing_write_harms_no_other,
    an_acceptance_that_can_t_be_written_harms_no_other,
    processes_write_side_by_side,
    everything_at_once_ends_consistent,
);

fn webhook(n: usize) -> NewWebhook {
    NewWebhook {
        provider: Ocean,
        call_id: CallId::generate().to_string(),
        body: n.to_string().into_bytes(),
        malformed: false,
    }
}

async fn many_writes_are_all_answered(b: &Bench) {
    let writes = (0..300).map(|n| b.store.results().store_webhook(webhook(n)));
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    assert_eq!(b.database.number("SELECT COUNT(*) FROM webhook_inbox").await, 300);
}

async fn a_failing_write_harms_no_other(b: &Bench) {
    let dead = b.begin(Options::default()).await;
    b.store.batches().abandon(&dead).await.unwrap();
    let live = b.begin(Options::default()).await;
    let writes = (0..100_u32).map(|n| {
        let (batch, store) = (if n % 3 == 0 { &dead } else { &live }, b.store.clone());
        let mut row = rows(&oceans(n..=n));
        row[0].number = n.into();
        async move { (n, store.batches().load(batch, row).await) }
    });
    for (n, loaded) in futures::future::join_all(writes).await {
        match loaded {
            Ok(loaded) => assert_eq!((n % 3 != 0, loaded.rows), (true, 1)),
            Err(error) => {
                assert!(n % 3 == 0 && matches!(error, StoreError::Lost { .. }), "{error}")
            }
        }
    }
    assert_eq!(b.database.number("SELECT COUNT(*) FROM batch_rows").await, 66);
}

async fn an_acceptance_that_can_t_be_written_harms_no_other(b: &Bench) {
    b.database.run("CREATE UNIQUE INDEX only_once ON calls (tracking_id)").await;
    let batch = b.submit(&oceans(1..=40)).await;
    let calls = b.claim_as(ClaimReveals { people: 1, calls: 40, ..b.ask(Ocean) }).await;
    b.accept_with(&calls[0], Some("t20")).await;
    let answers =
        (1..40).map(|n| {
            let (call, id) = (&calls[n], format!("t{n}"));
            async move {
                (n, b.store.calls().answer_accepted(answer(call, 200), Some(id), &b.policy).await)
            }
        });
    for (n, written) in futures::future::join_all(answers).await {
        assert_eq!(written.is_ok(), n != 20, "answer {n}: {written:?}");
    }
    assert_eq!((b.count(batch, "awaiting").await, b.count(batch, "sending").await), (39, 1));
}

async fn processes_write_side_by_side(b: &Bench) {
    let mut tasks = Vec::new();
    for process in 0..4 {
        let store = b.another_store().await;
        let batch = b.begin(Options::default()).await;
        tasks.push(tokio::spawn(async move {
            for n in 0..40_u32 {
                let mut row = rows(&oceans(n..=n));
                row[0].number = n.into();
                store.batches().load(&batch, row).await.unwrap();
                store.results().store_webhook(webhook(process)).await.unwrap();
            }
            store.batches().publish(&batch, None).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    b.check("written by four").await;
    assert_eq!(b.database.number("SELECT COUNT(*) FROM reveals").await, 40);
    assert_eq!(b.database.number("SELECT COUNT(*) FROM webhook_inbox").await, 160);
}

/// Claims, accepts and settles until nothing is left.
async fn work(store: Store, policy: jobs::Policy, ask: ClaimReveals) -> usize {
    let mut settled = 0;
    for _ in 0..60 {
        for call in store.calls().claim_reveals(ask.clone()).await.unwrap().calls {
            let results: Vec<_> = call
                .people
                .iter()
                .map(|person| {
                    let id = person.trim_start_matches("ocean:");
                    if id.ends_with('3') { not_found(id) } else { found(id) }
                })
                .collect();
            settled += results.len();
            let delivery = delivery(&call, results);
            let (accepted, delivered) = tokio::join!(
                store.calls().answer_accepted(answer(&call, 200), None, &policy),
                store.results().settle(vec![delivery], &policy),
            );
            accepted.unwrap();
            delivered.unwrap();
        }
        store.sweep_overdue(&policy).await.unwrap();
    }
    settled
}

async fn everything_at_once_ends_consistent(b: &Bench) {
    let barrier = Arc::new(Barrier::new(5));
    let (mut workers, mut submits) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (store, policy, barrier) = (b.another_store().await, b.policy.clone(), barrier.clone());
        let worker = WorkerId::generate();
        b.register(worker, Some("key"), Some("url")).await;
        let ask = ClaimReveals { worker, people: 7, calls: 2, ..b.ask(Ocean) };
        workers.push(tokio::spawn(async move {
            barrier.wait().await;
            work(store, policy, ask).await
        }));
    }
    for n in 0..2_u32 {
        let (store, barrier) = (b.another_store().await, barrier.clone());
        let batches = [b.begin(Options::default()).await, b.begin(Options::priority(1)).await];
        submits.push(tokio::spawn(async move {
            barrier.wait().await;
            for batch in &batches {
                for chunk in 0..6_u32 {
                    let first = chunk * 10 + n * 5 + 1;
                    let mut more = rows(&oceans(first..=first + 14));
                    more.iter_mut().for_each(|row| row.number += i64::from(chunk) * 100);
                    store.batches().load(batch, more).await.unwrap();
                }
                store.batches().publish(batch, None).await.unwrap();
            }
        }));
    }
    for submit in submits {
        submit.await.unwrap();
    }
    let mut settled = 0;
    for worker in workers {
        settled += worker.await.unwrap();
    }
    b.check("all at once").await;
    settled += work(b.store.clone(), b.policy.clone(), b.ask(Ocean)).await;
    assert_eq!(settled, 70, "everybody once");
    b.check_paid_once().await;
    b.advance(HOUR).await;
    let unfinished = "SELECT COUNT(*) FROM batches WHERE finished_at IS NULL";
    assert_eq!(b.database.number(unfinished).await, 0);
}
