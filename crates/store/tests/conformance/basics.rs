//! The usual course: submitted, claimed, accepted, answered.

use jobs::Provider::{Clodura, Ocean};
use store::{Actor, Applied, Origin};

use crate::harness::people::{clodura, linkedin, ocean, oceans};
use crate::harness::{Bench, found, not_found, on_both};

on_both!(
    from_submit_to_result,
    a_person_at_clodura,
    a_waterfall_goes_on_to_the_second_provider,
    entries_of_the_audit_log_stay_as_they_are,
    what_is_joined_is_compared_alike,
);

/// Postgres uses no index whose collation differs from the comparison's. With two collations, a join of a call with its
/// gate read all calls.
async fn what_is_joined_is_compared_alike(b: &Bench) {
    if !b.store.is_postgres() {
        return;
    }
    let others: Vec<(String,)> = b
        .database
        .all(
            "WITH texts AS (
                SELECT c.table_name, c.column_name, c.collation_name FROM information_schema.columns c
                JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
                WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type = 'text')
             SELECT table_name || '.' || column_name FROM texts WHERE collation_name IS DISTINCT FROM 'C'
               AND column_name IN (SELECT column_name FROM texts WHERE collation_name = 'C')",
        )
        .await;
    assert_eq!(others, []);
}

async fn from_submit_to_result(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    assert_eq!(b.states(batch).await, ["queued"; 3]);
    b.check("submitted").await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people, ["ocean:o1", "ocean:o2", "ocean:o3"]);
    assert_eq!(b.states(batch).await, ["sending"; 3]);
    b.check("claimed").await;
    b.accept(&call).await;
    assert_eq!(b.states(batch).await, ["awaiting"; 3]);
    b.check("accepted").await;
    let applied = b.webhook(&call, vec![found("o1"), not_found("o2"), found("o3")]).await;
    assert_eq!(applied, Applied::Applied);
    assert_eq!(b.states(batch).await, ["found", "not_found", "found"]);
    let shown = b.shown(batch).await;
    assert_eq!(shown[0].phones.as_deref(), Some("+45 o1"));
    assert_eq!((shown[0].credits, shown[1].credits), (1, 0));
}

async fn a_person_at_clodura(b: &Bench) {
    let batch = b.submit(&[clodura("2751"), linkedin("jane")]).await;
    let calls = b.claim(Clodura).await;
    assert_eq!(calls.len(), 2);
    for (call, person) in calls.iter().zip(["2751", "9000"]) {
        b.accept_with(call, Some("t")).await;
        b.check("accepted").await;
        assert_eq!(b.webhook(call, vec![found(person)]).await, Applied::Applied);
        b.check("answered").await;
    }
    assert_eq!(b.states(batch).await, ["found"; 2]);
}

async fn a_waterfall_goes_on_to_the_second_provider(b: &Bench) {
    let batch = b.submit(&[ocean("o1").clodura("c1")]).await;
    assert!(b.claim(Clodura).await.is_empty());
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    b.check("on to the second").await;
    assert_eq!(b.states(batch).await, ["queued"]);
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn entries_of_the_audit_log_stay_as_they_are(b: &Bench) {
    let actor = Actor::new(Origin::Enqueue, "ada", None);
    b.store.acting_as(actor).gates().pause(Ocean).await.unwrap();
    for change in ["UPDATE audit_entries SET actor = 'eve'", "DELETE FROM audit_entries"] {
        let refused = b.database.refused(change).await;
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
    assert_eq!(b.store.audit().entries(None, 9).await.unwrap().len(), 1);
}
