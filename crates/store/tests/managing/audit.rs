//! The audit log: one permanent entry for each manual change. Entry and change are written together or not at all.

use std::collections::BTreeSet;

use jobs::Credits;
use jobs::Provider::{Clodura, Ocean};
use store::{Actor, ErasureTarget, Origin, RetryStates, Store};

use crate::harness::people::{linkedin, ocean, oceans};
use crate::harness::{Bench, HOUR, on_both};

on_both!(
    every_change_by_hand_is_written_down,
    what_changes_nothing_is_no_entry,
    the_software_itself_writes_no_entry,
    an_entry_that_cannot_be_written_stops_what_it_records,
    nothing_personal_is_in_it,
);

fn acting(b: &Bench) -> Store {
    b.store.acting_as(Actor::new(Origin::Dashboard, "ada", Some("operator")))
}

/// Action, batch, provider and details of all entries, the oldest first.
async fn entries(b: &Bench) -> Vec<(String, Option<String>, Option<String>, Option<String>)> {
    let mut all = b.store.audit().entries(None, 100).await.unwrap();
    all.reverse();
    all.into_iter().map(|e| (e.action, e.batch_id, e.provider, e.details)).collect()
}

async fn erase(store: &Store, identifier: &str) {
    let target = ErasureTarget::Identifiers(BTreeSet::from([identifier.to_owned()]));
    for person in store.privacy().identify(&target).await.unwrap() {
        store.privacy().erase(&person).await.unwrap();
    }
}

async fn every_change_by_hand_is_written_down(b: &Bench) {
    let store = acting(b);
    let id = b.submit(&oceans(1..=3)).await;
    let batch = b.batch(id).await;
    store.gates().pause(Ocean).await.unwrap();
    store.gates().resume(Ocean).await.unwrap();
    store
        .batches()
        .set_ceilings(
            &batch,
            &[(Ocean, Some(Credits::whole(7))), (Clodura, Some(Credits::whole(9)))].into(),
        )
        .await
        .unwrap();
    store.results().note_replay("malformed", Some("c1")).await.unwrap();
    store.batches().cancel(&batch).await.unwrap();
    let cancelled = RetryStates { cancelled: true, ..RetryStates::default() };
    assert_eq!(store.batches().retry(&batch, cancelled).await.unwrap().rows, 3);
    let mut pages = store.reports().export_pages(batch.clone(), 100);
    while let Some(page) = pages.recv().await {
        page.unwrap();
    }
    erase(&store, "ocean:o1").await;
    store.privacy().purge(24 * HOUR).await.unwrap();

    let text = |text: &str| Some(text.to_owned());
    let at = Some(batch.batch_id.to_string());
    let entry = |action: &str, batch, provider: Option<&str>, details: Option<&str>| {
        (action.to_owned(), batch, provider.and_then(text), details.and_then(text))
    };
    assert_eq!(
        entries(b).await,
        [
            entry("pause", None, Some("ocean"), None),
            entry("resume", None, Some("ocean"), None),
            entry("ceiling", at.clone(), Some("ocean"), Some("max_credits=7")),
            entry("ceiling", at.clone(), Some("clodura"), Some("max_credits=9")),
            entry("replay", None, None, Some("outcome=malformed call=c1")),
            entry("cancel", at.clone(), None, None),
            entry("retry", at.clone(), None, Some("states=cancelled")),
            entry("export", at, None, None),
            entry("erase", None, None, Some("identifiers=1 reveals=1 rows=1 phones=0 bodies=0")),
            entry("purge", None, None, Some("older_than=1d")),
        ]
    );
    let newest = b.store.audit().entries(None, 1).await.unwrap().remove(0);
    assert_eq!((newest.origin.as_str(), newest.actor.as_str()), ("dashboard", "ada"));
    assert_eq!(newest.role.as_deref(), Some("operator"));
    assert!(newest.at.ends_with('Z'), "{}", newest.at);
    let older = b.store.audit().entries(Some(newest.entry_id), 2).await.unwrap();
    assert_eq!(older.iter().map(|e| e.action.as_str()).collect::<Vec<_>>(), ["erase", "export"]);
}

async fn what_changes_nothing_is_no_entry(b: &Bench) {
    let store = acting(b);
    let id = b.submit(&oceans(1..=2)).await;
    let batch = b.batch(id).await;
    let all = RetryStates { failed: true, expired: true, cancelled: true };
    store.batches().retry(&batch, all).await.unwrap();
    for _ in 0..2 {
        store.gates().pause(Ocean).await.unwrap();
        store.batches().cancel(&batch).await.unwrap();
    }
    let actions: Vec<String> = entries(b).await.into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["pause", "cancel"]);
}

async fn the_software_itself_writes_no_entry(b: &Bench) {
    let id = b.submit(&oceans(1..=2)).await;
    let batch = b.batch(id).await;
    b.store
        .batches()
        .set_ceilings(&batch, &[(Ocean, Some(Credits::whole(7)))].into())
        .await
        .unwrap();
    b.store.privacy().purge(24 * HOUR).await.unwrap();
    assert_eq!(entries(b).await, []);
}

/// The entry and its change are one transaction.
async fn an_entry_that_cannot_be_written_stops_what_it_records(b: &Bench) {
    let id = b.submit(&oceans(1..=2)).await;
    let batch = b.batch(id).await;
    b.database.run("ALTER TABLE audit_entries RENAME TO elsewhere").await;
    let store = acting(b);
    assert!(store.gates().pause(Ocean).await.is_err());
    assert!(store.batches().cancel(&batch).await.is_err());
    assert!(
        store
            .batches()
            .set_ceilings(&batch, &[(Ocean, Some(Credits::whole(1)))].into())
            .await
            .is_err()
    );
    let first = store.reports().export_pages(batch, 100).recv().await;
    assert!(first.is_some_and(|page| page.is_err()), "numbers left the ledger unseen");
    let paused = "SELECT COUNT(*) FROM provider_gates WHERE paused = 1";
    assert_eq!(b.database.number(paused).await, 0);
    assert_eq!(b.states(id).await, ["queued"; 2]);
}

async fn nothing_personal_is_in_it(b: &Bench) {
    let store = acting(b);
    let id = b.submit(&[ocean("o-secret").linkedin("somebody"), linkedin("ada")]).await;
    let batch = b.batch(id).await;
    store.batches().cancel(&batch).await.unwrap();
    erase(&store, "ocean:o-secret").await;
    for entry in b.store.audit().entries(None, 100).await.unwrap() {
        let text = format!("{entry:?}");
        assert!(!text.contains("secret") && !text.contains("somebody"), "{text}");
    }
}
