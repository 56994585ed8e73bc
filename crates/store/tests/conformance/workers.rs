//! Workers: their settings, the state that they share, and how they learn of changes.

use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::WorkerId;
use jobs::outcome::Refusal;
use store::{Stamp, Store, StoreError, Subscription, Topic};

use crate::harness::people::{Options, clodura, ocean, oceans};
use crate::harness::{Bench, Database, HOUR, MINUTE, START, on_both};

on_both!(
    without_a_key_a_provider_is_off,
    without_a_webhook_url_ocean_is_off,
    another_worker_s_key_is_enough,
    what_a_worker_lacks_shuts_nothing_for_others,
    another_webhook_url_is_proved_anew,
    another_key_does_not_undo_a_pause,
    a_database_is_live_or_sandbox,
    secrets_are_stable_and_shared,
    old_secrets_verify_for_a_while,
    a_publish_wakes_another_process,
    a_webhook_wakes_another_process,
    a_process_that_ends_wakes_others_before,
    several_stores_open_a_new_database_at_once,
    a_url_is_shown_without_its_password,
    ping,
);

async fn off_reason(b: &Bench, provider: jobs::Provider) -> Option<String> {
    let sql = format!("SELECT off_reason FROM provider_gates WHERE provider = '{provider}'");
    b.database.one::<(Option<String>,)>(&sql).await.0
}

async fn without_a_key_a_provider_is_off(b: &Bench) {
    b.store.workers().worker_stopped(b.worker).await.unwrap();
    let batch = b.submit(&[ocean("o1"), clodura("c1")]).await;
    b.register(WorkerId::generate(), None, Some("url")).await;
    assert_eq!(off_reason(b, Ocean).await.as_deref(), Some("no_key"));
    assert_eq!(b.shown(batch).await[0].reason.as_deref(), Some("no_key"));
    assert_eq!(b.states(batch).await, ["held"; 2]);
    assert!(
        !b.store.reports().unfinished().await.unwrap().stuck.is_empty(),
        "waiting ends nothing"
    );
    b.register(WorkerId::generate(), Some("key"), Some("url")).await;
    assert_eq!(off_reason(b, Ocean).await, None);
    assert_eq!(b.claim(Ocean).await.len() + b.claim(Clodura).await.len(), 2);
}

async fn without_a_webhook_url_ocean_is_off(b: &Bench) {
    b.store.workers().worker_stopped(b.worker).await.unwrap();
    b.register(WorkerId::generate(), Some("key"), None).await;
    assert_eq!(off_reason(b, Ocean).await.as_deref(), Some("no_webhook_url"));
    assert_eq!(off_reason(b, Clodura).await, None);
}

async fn another_worker_s_key_is_enough(b: &Bench) {
    b.register(WorkerId::generate(), None, None).await;
    assert_eq!(off_reason(b, Ocean).await, None);
    b.clock.advance(MINUTE);
    b.register(WorkerId::generate(), None, None).await;
    assert_eq!(off_reason(b, Ocean).await.as_deref(), Some("no_key"), "that one is silent");
}

/// A worker's missing key or URL affects only that worker, in any order of starts and ends.
async fn what_a_worker_lacks_shuts_nothing_for_others(b: &Bench) {
    let batch = b.submit(&[ocean("o1"), clodura("c1")]).await;
    let (keyless, deaf) = (WorkerId::generate(), WorkerId::generate());
    b.register(keyless, None, Some("url")).await;
    b.register(deaf, Some("key"), None).await;
    assert_eq!(off_reason(b, Ocean).await, None);
    assert_eq!(b.claim(Ocean).await.len() + b.claim(Clodura).await.len(), 2);
    assert_eq!(b.states(batch).await, ["sending"; 2]);
    b.store.workers().worker_stopped(b.worker).await.unwrap();
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(off_reason(b, Ocean).await.as_deref(), Some("no_webhook_url"));
    assert_eq!(off_reason(b, Clodura).await, None);
    b.store.workers().worker_stopped(deaf).await.unwrap();
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(off_reason(b, Clodura).await.as_deref(), Some("no_key"));
    b.store.workers().worker_stopped(keyless).await.unwrap();
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(off_reason(b, Ocean).await.as_deref(), Some("no_key"), "what the last one said");
    b.register(WorkerId::generate(), Some("key"), Some("url")).await;
    assert_eq!((off_reason(b, Ocean).await, off_reason(b, Clodura).await), (None, None));
}

async fn another_webhook_url_is_proved_anew(b: &Bench) {
    let proved = "SELECT COUNT(*) FROM provider_gates WHERE canary_proved_at IS NOT NULL";
    b.database.run("UPDATE provider_gates SET canary_proved_at = 1").await;
    b.register(WorkerId::generate(), Some("key"), Some("url")).await;
    assert_eq!(b.database.number(proved).await, 2);
    b.register(WorkerId::generate(), Some("key"), Some("another url")).await;
    assert_eq!(b.database.number(proved).await, 0);
}

async fn another_key_does_not_undo_a_pause(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    let refusal = Refusal::Misconfigured { message: "bad key".into() };
    b.refuse(&b.claim_one(Ocean).await, 401, refusal).await;
    b.store.gates().pause(Ocean).await.unwrap();
    b.register(WorkerId::generate(), Some("another key"), Some("url")).await;
    assert!(b.claim(Ocean).await.is_empty());
    let resumed = b.store.gates().resume(Ocean).await.unwrap();
    assert!(resumed.was_paused);
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

async fn a_database_is_live_or_sandbox(b: &Bench) {
    let other = b.another_store().await;
    b.store.settings().stamp(Stamp::Sandbox).await.unwrap();
    other.settings().stamp(Stamp::Sandbox).await.unwrap();
    let refused = other.settings().stamp(Stamp::Live).await;
    assert!(matches!(refused, Err(StoreError::Stamp { .. })), "{refused:?}");
}

async fn secrets_are_stable_and_shared(b: &Bench) {
    let other = b.another_store().await;
    let (one, two) =
        tokio::join!(b.store.settings().webhook_secrets(), other.settings().webhook_secrets());
    let one = one.unwrap();
    assert_eq!((one.len(), one[0].0.len()), (1, 64));
    assert_eq!(two.unwrap(), one);
    b.advance(1000 * HOUR).await;
    assert_eq!(other.settings().webhook_secrets().await.unwrap(), one);
    let erasure = b.store.settings().erasure_key().await.unwrap();
    assert_ne!(erasure, one[0].0);
    assert_eq!(other.settings().erasure_key().await.unwrap(), erasure);
}

/// A replaced secret verifies for 90 days after its replacement, whatever its age.
async fn old_secrets_verify_for_a_while(b: &Bench) {
    let first = b.store.settings().webhook_secrets().await.unwrap().remove(0);
    b.advance(200 * 24 * HOUR).await;
    b.store.settings().rotate_webhook_secret().await.unwrap();
    let both = b.store.settings().webhook_secrets().await.unwrap();
    assert_eq!((both.len(), &both[1]), (2, &first));
    assert_ne!(both[0].0, first.0);
    b.advance(89 * 24 * HOUR).await;
    assert_eq!(b.store.settings().webhook_secrets().await.unwrap(), both);
    b.advance(2 * 24 * HOUR).await;
    assert_eq!(b.store.settings().webhook_secrets().await.unwrap(), both[..1]);
}

/// Waits for a change, with a bound.
async fn woken(mut waiting: Subscription) {
    tokio::time::timeout(Duration::from_secs(20), waiting.changed()).await.expect("woken");
}

async fn a_publish_wakes_another_process(b: &Bench) {
    let other = b.another_store().await;
    // Twice, because the first wake-up may be the general one after a connection was made.
    for _ in 0..2 {
        let batch = b.begin(Options::default()).await;
        let waiting = other.subscribe(Topic::Queue);
        b.publish(&batch).await;
        woken(waiting).await;
    }
}

async fn a_webhook_wakes_another_process(b: &Bench) {
    let other = b.another_store().await;
    for _ in 0..2 {
        let waiting = other.subscribe(Topic::Inbox);
        b.webhook_to(Ocean, &jobs::CallId::generate().to_string(), Vec::new()).await;
        woken(waiting).await;
    }
}

async fn a_process_that_ends_wakes_others_before(b: &Bench) {
    let other = b.another_store().await;
    for _ in 0..2 {
        let batch = b.begin(Options::default()).await;
        let waiting = other.subscribe(Topic::Queue);
        let (url, clock) = (b.database.url.clone(), b.clock.clone());
        let ending = move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let store = Store::connect(&url, true, clock).await.unwrap();
                store.batches().publish(&batch, None).await.unwrap();
                store.close().await;
            });
            runtime.shutdown_background();
        };
        tokio::task::spawn_blocking(ending).await.unwrap();
        woken(waiting).await;
    }
}

async fn several_stores_open_a_new_database_at_once(b: &Bench) {
    let dialect = if b.store.is_postgres() {
        crate::harness::Dialect::Postgres
    } else {
        crate::harness::Dialect::Sqlite
    };
    // Several rounds, because a conflict between the stores depends on microseconds.
    for _ in 0..10 {
        let fresh = Database::create(dialect).await;
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let url = fresh.url.clone();
                tokio::spawn(
                    async move { Store::connect(&url, true, jobs::Clock::manual(START)).await },
                )
            })
            .collect();
        for store in opening {
            store.await.unwrap().expect("opens").ping().await.unwrap();
        }
        fresh.drop_it().await;
    }
}

async fn a_url_is_shown_without_its_password(b: &Bench) {
    let clock = b.clock.clone();
    let refused = Store::connect("mysql://me:secret@host/db", true, clock).await.err().unwrap();
    let message = refused.to_string();
    assert!(!message.contains("secret") && message.contains("me:…@host"), "{message}");
}

async fn ping(b: &Bench) {
    b.store.ping().await.unwrap();
    assert_eq!(b.store.results().inbox_backlog().await.unwrap(), store::Backlog::default());
}
