//! `enqueue purge`: old finished data is deleted, data that is still in use is not.

use jobs::Provider::Ocean;
use store::{Purge, Purged, Scrubbed};

use crate::harness::people::{Options, ocean, oceans};
use crate::harness::{Bench, HOUR, found, not_found, on_both};

on_both!(
    old_batches_are_forgotten_with_their_people,
    young_and_open_ones_stay,
    people_another_batch_shows_stay,
    a_late_answer_finds_no_person_and_harms_nothing,
    an_answer_for_a_purged_person_is_of_no_one_else,
    each_kind_goes_at_its_own_age,
    what_is_unfinished_is_never_too_old,
    one_worker_of_all_looks_in_an_interval,
    who_was_asked_anew_is_no_trace,
);

async fn finish(b: &Bench, people: std::ops::RangeInclusive<u32>) -> (i64, store::ClaimedCall) {
    let batch = b.submit(&oceans(people.clone())).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, people.map(|n| found(&format!("o{n}"))).collect()).await;
    (batch, call)
}

async fn rows_in(b: &Bench, table: &str) -> i64 {
    b.database.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

async fn old_batches_are_forgotten_with_their_people(b: &Bench) {
    finish(b, 1..=3).await;
    b.advance(48 * HOUR).await;
    let purged = b.store.privacy().purge(24 * HOUR).await.unwrap().purged;
    assert_eq!(purged, Purged { batches: 1, reveals: 3, calls: 1, webhooks: 1 });
    for table in [
        "batches",
        "batch_rows",
        "batch_totals",
        "reveals",
        "phones",
        "calls",
        "call_reveals",
        "webhook_inbox",
    ] {
        assert_eq!(rows_in(b, table).await, 0, "{table}");
    }
    let again = b.submit(&[ocean("o1")]).await;
    assert_eq!(b.states(again).await, ["queued"]);
}

async fn young_and_open_ones_stay(b: &Bench) {
    let out = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let waiting = b.submit(&oceans(7..=7)).await;
    b.advance(20 * HOUR).await;
    let (young, _) = {
        b.store.gates().pause(Ocean).await.unwrap();
        b.store.gates().resume(Ocean).await.unwrap();
        (b.submit(&oceans(1..=1)).await, ())
    };
    assert_eq!(b.store.privacy().purge(HOUR).await.unwrap().purged, Purged::default());
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.store.privacy().purge(HOUR).await.unwrap().purged, Purged::default());
    assert_eq!(b.states(out).await, ["found"; 2]);
    assert_eq!(b.states(young).await, ["found"]);
    assert_eq!(b.states(waiting).await, ["queued"]);
}

async fn people_another_batch_shows_stay(b: &Bench) {
    finish(b, 1..=2).await;
    b.advance(48 * HOUR).await;
    let young = b.submit(&oceans(1..=1)).await;
    let purged = b.store.privacy().purge(24 * HOUR).await.unwrap().purged;
    assert_eq!((purged.batches, purged.reveals, purged.calls), (1, 1, 0));
    b.check("purged").await;
    let shown = b.shown(young).await;
    assert_eq!((shown[0].state.as_str(), shown[0].phones.as_deref()), ("found", Some("+45 o1")));
}

async fn a_late_answer_finds_no_person_and_harms_nothing(b: &Bench) {
    let first = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.advance(25 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(first).await, ["expired"]);
    b.advance(48 * HOUR).await;
    let second = b.submit(&oceans(1..=1)).await;
    assert_eq!(b.store.privacy().purge(24 * HOUR).await.unwrap().purged.batches, 1);
    // The paying batch is gone, but another batch still shows the person.
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(second).await, ["found"]);
}

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

fn retention(bodies: u32, calls: u32, people: u32) -> jobs::Retention {
    jobs::Retention {
        bodies: Some(bodies * DAY),
        calls: Some(calls * DAY),
        people: Some(people * DAY),
    }
}

async fn retire(b: &Bench, retention: jobs::Retention) -> Purged {
    let none = std::time::Duration::ZERO;
    let gone = b.store.privacy().retire(&retention, none, none).await.unwrap();
    b.check("retired").await;
    gone
}

async fn bodies_in(b: &Bench) -> i64 {
    b.database.number("SELECT COUNT(*) FROM webhook_inbox WHERE body IS NOT NULL").await
}

async fn each_kind_goes_at_its_own_age(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let new = store::NewWebhook {
        provider: Ocean,
        call_id: call.call_id.to_string(),
        body: br#"{"phones": []}"#.to_vec(),
        malformed: false,
    };
    b.store.results().store_webhook(new).await.unwrap();
    let stored = b.store.results().pending_webhooks(1, 1 << 20).await.unwrap().remove(0);
    let results = (1..=3).map(|n| found(&format!("o{n}")));
    let delivery = store::Delivery::new(Ocean, stored.call_id, Some(stored.id), results, None);
    b.store.results().settle(vec![delivery], &b.policy).await.unwrap();
    let ages = retention(2, 6, 4);
    b.advance(DAY).await;
    assert_eq!((retire(b, ages).await, bodies_in(b).await), (Purged::default(), 1));
    b.advance(2 * DAY).await;
    let gone = retire(b, ages).await;
    assert_eq!((gone, bodies_in(b).await), (Purged { webhooks: 1, ..Purged::default() }, 0));
    assert_eq!(b.states(batch).await, ["found"; 3]);
    b.advance(2 * DAY).await;
    let gone = retire(b, ages).await;
    assert_eq!((gone.batches, gone.reveals, gone.calls), (1, 3, 0));
    assert_eq!((rows_in(b, "phones").await, rows_in(b, "calls").await), (0, 1));
    b.advance(2 * DAY).await;
    assert_eq!(retire(b, ages).await.calls, 1);
    for table in ["calls", "call_reveals", "webhook_inbox"] {
        assert_eq!(rows_in(b, table).await, 0, "{table}");
    }
}

async fn what_is_unfinished_is_never_too_old(b: &Bench) {
    let (done, _) = finish(b, 3..=3).await;
    let out = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    // An unreadable body stops further requests until a body can be read.
    let broken = store::NewWebhook {
        provider: Ocean,
        call_id: call.call_id.to_string(),
        body: b"no JSON".to_vec(),
        malformed: true,
    };
    b.store.results().store_webhook(broken).await.unwrap();
    let waiting = b.submit(&oceans(4..=4)).await;
    b.advance(300 * DAY).await;
    let gone = retire(b, retention(1, 1, 1)).await;
    assert_eq!((gone.batches, gone.reveals, gone.webhooks), (1, 1, 1), "the one that is done");
    assert_eq!(bodies_in(b).await, 1);
    assert_eq!(b.states(done).await, [""; 0]);
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(out).await, ["found"; 2]);
    assert_eq!(b.states(waiting).await, ["queued"]);
}

async fn one_worker_of_all_looks_in_an_interval(b: &Bench) {
    finish(b, 1..=1).await;
    b.advance(2 * DAY).await;
    let ages = retention(9, 9, 1);
    let none = std::time::Duration::ZERO;
    assert_eq!(b.store.privacy().retire(&ages, HOUR, none).await.unwrap().batches, 1);
    finish(b, 2..=2).await;
    b.advance(HOUR / 2).await;
    let ages = jobs::Retention { people: Some(none), ..ages };
    assert_eq!(b.store.privacy().retire(&ages, HOUR, none).await.unwrap(), Purged::default());
    b.advance(HOUR / 2).await;
    assert_eq!(b.store.privacy().retire(&ages, HOUR, none).await.unwrap().batches, 1);
}

async fn an_answer_for_a_purged_person_is_of_no_one_else(b: &Bench) {
    let (_, call) = finish(b, 1..=2).await;
    b.advance(48 * HOUR).await;
    let young = b.submit(&oceans(1..=1)).await;
    assert_eq!(b.store.privacy().purge(24 * HOUR).await.unwrap().purged.reveals, 1);
    let new = store::NewWebhook {
        provider: Ocean,
        call_id: call.call_id.to_string(),
        body: br#"{"phones": [{"personId": "o2", "numbers": ["+4522"]}]}"#.to_vec(),
        malformed: false,
    };
    b.store.results().store_webhook(new).await.unwrap();
    let stored = b.store.results().pending_webhooks(1, 1 << 20).await.unwrap().remove(0);
    let delivery =
        store::Delivery::new(Ocean, stored.call_id, Some(stored.id), [found("o2")], None);
    let applied = b.store.results().settle(vec![delivery], &b.policy).await.unwrap();
    assert_eq!(applied, [store::Applied::UnknownPerson]);
    let body: (Vec<u8>,) = b
        .database
        .one("SELECT body FROM webhook_inbox WHERE body IS NOT NULL ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(body.0, br#"{"phones":[]}"#);
    assert_eq!(b.shown(young).await[0].phones.as_deref(), Some("+45 o1"));
}

/// People who were asked for again stay in the ledger, and in its statistics, when their first request is purged.
async fn who_was_asked_anew_is_no_trace(b: &Bench) {
    let people = 4_001..=4_003;
    finish(b, people.clone()).await;
    b.advance(48 * HOUR).await;
    b.submit_with(&oceans(people.clone()), Options::refresh(b.clock.now())).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, people.map(|n| not_found(&format!("o{n}"))).collect()).await;
    let Purge { purged, traces } = b.store.privacy().purge(24 * HOUR).await.unwrap();
    assert_eq!((purged.batches, purged.reveals), (1, 3));
    assert_eq!(b.store.privacy().scrub(traces).await.unwrap(), Scrubbed::Clean);
}
