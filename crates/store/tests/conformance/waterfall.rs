//! From provider to provider.

use jobs::Provider::{Clodura, Ocean};

use crate::harness::people::{Options, Who, clodura, ocean, oceans};
use crate::harness::{Bench, HOUR, found, not_found, on_both};

on_both!(
    not_found_goes_on_once_for_every_row,
    failed_goes_on,
    expired_stays,
    a_late_not_found_goes_on,
    cancelled_stays,
    found_late_at_the_first_provider_is_shown,
    not_found_anywhere_ends_at_the_last,
    a_row_joins_people_who_were_asked_already,
    several_rows_of_a_batch_wake_a_person_once,
    a_batch_is_finished_with_its_last_row,
    people_waiting_for_a_full_batch_are_taken_over,
);

fn both(n: u32) -> Who {
    ocean(&format!("o{n}")).clodura(&format!("c{n}"))
}

async fn out(b: &Bench, people: &[Who]) -> (i64, store::ClaimedCall) {
    let batch = b.submit(people).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    (batch, call)
}

async fn shown_at(b: &Bench, batch: i64) -> Vec<(String, String)> {
    let rows = b.shown(batch).await;
    rows.into_iter().map(|row| (row.provider.unwrap(), row.state)).collect()
}

fn at(provider: &str, state: &str) -> (String, String) {
    (provider.to_owned(), state.to_owned())
}

async fn not_found_goes_on_once_for_every_row(b: &Bench) {
    let (batch, call) = out(b, &[both(1), both(2), both(1)]).await;
    let other = b.submit(&[both(1), ocean("o1")]).await;
    for _ in 0..2 {
        b.webhook(&call, vec![not_found("o1"), found("o2")]).await;
        b.check("delivered").await;
    }
    let next = at("clodura", "queued");
    assert_eq!(shown_at(b, batch).await, [next.clone(), at("ocean", "found"), next.clone()]);
    assert_eq!(shown_at(b, other).await, [next, at("ocean", "not_found")]);
    assert_eq!(b.claim_one(Clodura).await.people, ["clodura:c1"]);
    assert!(b.claim(Clodura).await.is_empty());
}

async fn failed_goes_on(b: &Bench) {
    let batch = b.submit(&[both(1), ocean("o2")]).await;
    b.refuse_people(&b.claim_one(Ocean).await, &[0]).await;
    assert_eq!(shown_at(b, batch).await[0], at("clodura", "queued"));
}

async fn expired_stays(b: &Bench) {
    let (batch, _) = out(b, &[both(1)]).await;
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(shown_at(b, batch).await, [at("ocean", "expired")]);
    assert!(b.claim(Clodura).await.is_empty());
}

async fn a_late_not_found_goes_on(b: &Bench) {
    let (batch, call) = out(b, &[both(1)]).await;
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    b.webhook(&call, vec![not_found("o1")]).await;
    assert_eq!(shown_at(b, batch).await, [at("clodura", "queued")]);
}

async fn cancelled_stays(b: &Bench) {
    let (batch, call) = out(b, &[both(1), both(2)]).await;
    b.cancel(batch).await;
    b.check("cancelled").await;
    b.webhook(&call, vec![not_found("o1"), found("o2")]).await;
    // Results of sent calls are still received. The second provider, which would be next, is not asked any more.
    assert_eq!(shown_at(b, batch).await, [at("clodura", "cancelled"), at("ocean", "found")]);
    assert!(b.claim(Clodura).await.is_empty());
}

async fn found_late_at_the_first_provider_is_shown(b: &Bench) {
    let (batch, first) = out(b, &[both(1), both(2)]).await;
    b.webhook(&first, vec![not_found("o1"), not_found("o2")]).await;
    let calls = b.claim(Clodura).await;
    b.accept(&calls[0]).await;
    b.webhook(&first, vec![found("o1"), found("o2")]).await;
    b.check("found late").await;
    assert_eq!(shown_at(b, batch).await, [at("ocean", "found"), at("ocean", "found")]);
    b.webhook(&calls[0], vec![found("c1")]).await;
    assert_eq!(b.shown(batch).await[0].phones.as_deref(), Some("+45 o1"));
}

async fn not_found_anywhere_ends_at_the_last(b: &Bench) {
    let (batch, first) = out(b, &[both(1)]).await;
    b.webhook(&first, vec![not_found("o1")]).await;
    let second = b.claim_one(Clodura).await;
    b.accept(&second).await;
    b.webhook(&second, vec![not_found("c1")]).await;
    assert_eq!(shown_at(b, batch).await, [at("clodura", "not_found")]);
}

async fn a_row_joins_people_who_were_asked_already(b: &Bench) {
    b.submit(&[clodura("c1"), clodura("c2"), clodura("c3")]).await;
    let calls = b.claim(Clodura).await;
    b.accept(&calls[0]).await;
    b.accept(&calls[1]).await;
    b.webhook(&calls[0], vec![not_found("c1")]).await;
    let (batch, first) = out(b, &[both(1), both(2), both(3)]).await;
    b.webhook(&first, vec![not_found("o1"), not_found("o2"), not_found("o3")]).await;
    let want = [at("clodura", "not_found"), at("clodura", "awaiting"), at("clodura", "sending")];
    assert_eq!(shown_at(b, batch).await, want);
}

async fn several_rows_of_a_batch_wake_a_person_once(b: &Bench) {
    let people: Vec<Who> = [1, 2, 1, 3, 2, 1].map(both).to_vec();
    let (batch, first) = out(b, &people).await;
    let other = b.submit_with(&people, Options::priority(3)).await;
    b.webhook(&first, [1, 2, 3].map(|n| not_found(&format!("o{n}"))).to_vec()).await;
    b.check("woken").await;
    assert_eq!((b.count(batch, "queued").await, b.count(other, "queued").await), (6, 6));
    assert_eq!(b.claim(Clodura).await.len(), 3);
}

async fn a_batch_is_finished_with_its_last_row(b: &Bench) {
    let (batch, call) = out(b, &oceans(1..=2)).await;
    let finished = format!("SELECT COALESCE(MAX(finished_at), 0) FROM batches WHERE id = {batch}");
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.database.number(&finished).await, 0);
    b.advance(HOUR).await;
    b.webhook(&call, vec![not_found("o2")]).await;
    assert_eq!(b.database.number(&finished).await, b.store.now().0);
}

async fn people_waiting_for_a_full_batch_are_taken_over(b: &Bench) {
    b.submit_with(&[clodura("c0"), clodura("c1")], Options::ceiling(Clodura, 1)).await;
    b.accept(&b.claim_one(Clodura).await).await;
    assert!(b.claim(Clodura).await.is_empty());
    let (_, first) = out(b, &[both(1)]).await;
    b.webhook(&first, vec![not_found("o1")]).await;
    b.check("waits for the second provider").await;
    assert_eq!(b.claim_one(Clodura).await.people, ["clodura:c1"]);
}
