//! Claims walk along the ids of the people who came with a batch: none is skipped.

use jobs::Credits;
use jobs::Provider::{Clodura, Ocean};
use store::{ClaimReveals, ClaimedCall};

use crate::harness::people::{Options, clodura, ocean, oceans};
use crate::harness::{Bench, on_both};

on_both!(
    a_walk_goes_on_where_it_stopped,
    a_long_walk_is_noted_on_the_way,
    batches_that_load_at_once_are_walked_separately,
    a_person_locked_meanwhile_is_met_later,
    a_person_who_could_not_be_paid_for_is_met_later,
    a_person_who_leaves_and_comes_back_is_met_in_order,
);

/// Claims one call of up to `people` people; returns their identifiers.
async fn claim(b: &Bench, provider: jobs::Provider, people: usize) -> Vec<String> {
    let calls = b.claim_as(ClaimReveals { calls: 1, people, ..b.ask(provider) }).await;
    b.check("claimed").await;
    calls.into_iter().flat_map(|ClaimedCall { people, .. }| people).collect()
}

async fn walks_left(b: &Bench) -> i64 {
    b.database.number("SELECT COUNT(*) FROM unclaimed_ranges").await
}

async fn a_walk_goes_on_where_it_stopped(b: &Bench) {
    b.submit(&oceans(1..=5)).await;
    assert_eq!(claim(b, Ocean, 2).await, ["ocean:o1", "ocean:o2"]);
    assert_eq!(claim(b, Ocean, 2).await, ["ocean:o3", "ocean:o4"]);
    assert_eq!(walks_left(b).await, 1);
    assert_eq!(claim(b, Ocean, 2).await, ["ocean:o5"]);
    assert_eq!(walks_left(b).await, 0);
}

async fn a_long_walk_is_noted_on_the_way(b: &Bench) {
    b.submit(&oceans(1..=500)).await;
    let mut asked = Vec::new();
    for begins_at in [1, 301, 301] {
        asked.extend(claim(b, Ocean, 150).await);
        let next = "SELECT next FROM unclaimed_ranges";
        assert_eq!(b.database.number(next).await, begins_at);
    }
    asked.extend(claim(b, Ocean, 150).await);
    let all: Vec<String> = (1..=500).map(|n| format!("ocean:o{n}")).collect();
    assert_eq!(asked, all);
    assert_eq!(walks_left(b).await, 0);
}

async fn batches_that_load_at_once_are_walked_separately(b: &Bench) {
    let (first, second) = (b.begin(Options::default()).await, b.begin(Options::default()).await);
    b.load(&first, &[ocean("o1"), clodura("c1")]).await;
    b.load(&second, &[clodura("c2"), ocean("o2")]).await;
    b.load_after(&first, 2, &[clodura("c3"), ocean("o3")]).await;
    b.load_after(&second, 2, &[ocean("o4"), clodura("c4")]).await;
    b.publish(&second).await;
    assert_eq!(claim(b, Ocean, 9).await, ["ocean:o2", "ocean:o4"]);
    b.publish(&first).await;
    assert_eq!(claim(b, Ocean, 9).await, ["ocean:o1", "ocean:o3"]);
    assert_eq!(
        claim(b, Clodura, 9).await,
        ["clodura:c1", "clodura:c3", "clodura:c2", "clodura:c4"]
    );
    assert_eq!(walks_left(b).await, 0);
}

async fn a_person_locked_meanwhile_is_met_later(b: &Bench) {
    b.submit(&oceans(1..=4)).await;
    // SQLite has one writer, so no other transaction can lock people during a claim.
    let Some(mut other) = b.database.transaction().await else { return };
    let lock = "SELECT id FROM reveals WHERE subject = 'ocean:o2' FOR UPDATE";
    sqlx::query(lock).execute(&mut *other).await.unwrap();
    assert_eq!(claim(b, Ocean, 9).await, ["ocean:o1", "ocean:o3", "ocean:o4"]);
    other.rollback().await.unwrap();
    assert_eq!(claim(b, Ocean, 9).await, ["ocean:o2"]);
    assert_eq!(walks_left(b).await, 0);
}

async fn a_person_who_could_not_be_paid_for_is_met_later(b: &Bench) {
    let batch = b.submit_with(&oceans(1..=4), Options::ceiling(Ocean, 1)).await;
    assert_eq!(claim(b, Ocean, 9).await, ["ocean:o1"]);
    let more = [(Ocean, Some(Credits::whole(9)))].into();
    b.store.batches().set_ceilings(&b.batch_ref(batch).await, &more).await.unwrap();
    assert_eq!(claim(b, Ocean, 9).await, ["ocean:o2", "ocean:o3", "ocean:o4"]);
}

async fn a_person_who_leaves_and_comes_back_is_met_in_order(b: &Bench) {
    let urgent = b.begin(Options::priority(5)).await;
    b.submit(&oceans(1..=3)).await;
    b.load(&urgent, &[ocean("o2")]).await;
    b.store.batches().abandon(&urgent).await.unwrap();
    b.check("as before").await;
    assert_eq!(claim(b, Ocean, 2).await, ["ocean:o1", "ocean:o2"]);
    assert_eq!(claim(b, Ocean, 2).await, ["ocean:o3"]);
}
