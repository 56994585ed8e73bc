//! `enqueue erase`: nothing of a person stays, and nothing comes back.

use std::collections::BTreeSet;

use jobs::Provider::{Clodura, Ocean};
use store::{Applied, Delivery, Erased, NewWebhook, Whom};

use crate::harness::people::{clodura, linkedin, ocean, oceans};
use crate::harness::{Bench, found, not_found, on_both};

on_both!(
    nothing_of_the_person_stays,
    an_erased_person_is_not_asked_for_again,
    every_identifier_is_followed,
    a_person_in_the_queue_is_not_sent,
    an_answer_for_one_is_discarded,
    an_answer_for_many_loses_one_entry,
    stored_bodies_lose_one_entry,
    a_number_leads_to_those_who_have_it,
    somebody_unknown_is_remembered,
);

/// Erases whoever has an identifier.
async fn erase(b: &Bench, identifier: &str) -> Erased {
    let whom = Whom::Identifiers(BTreeSet::from([identifier.to_owned()]));
    let people = b.store.identify(&whom).await.unwrap();
    assert_eq!(people.len(), 1);
    let erased = b.store.erase(&people[0]).await.unwrap();
    b.check("erased").await;
    erased
}

/// Whether `text` stands anywhere in the ledger where a person may be named.
async fn is_named(b: &Bench, text: &str) -> bool {
    let mut found = 0;
    for (table, column) in [
        ("batch_rows", "fields"),
        ("reveals", "subject"),
        ("reveals", "reason"),
        ("identity_links", "identifier"),
        ("identity_links", "other"),
        ("phones", "raw"),
        ("phones", "e164"),
        ("calls", "tracking_id"),
        ("lookups", "tracking_id"),
        ("erasures", "hash"),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{text}%'");
        found += b.database.number(&sql).await;
    }
    let bodies: Vec<(Vec<u8>,)> =
        b.database.all("SELECT body FROM webhook_inbox WHERE body IS NOT NULL").await;
    found > 0 || bodies.iter().any(|(body,)| String::from_utf8_lossy(body).contains(text))
}

/// A webhook with this body; it is settled by `results`.
async fn webhook(
    b: &Bench,
    call: &store::ClaimedCall,
    body: &str,
    results: Vec<jobs::outcome::PersonResult>,
) -> Applied {
    let call_id = call.call_id.to_string();
    let body = body.as_bytes().to_vec();
    let new = NewWebhook { provider: call.provider, call_id, body, malformed: false };
    b.store.store_webhook(new).await.unwrap();
    let stored = b.store.pending_webhooks(10, 1 << 20).await.unwrap().pop().unwrap();
    let delivery =
        Delivery { inbox: Some(stored.id), call_id: stored.call_id, results, credits_used: None };
    let applied = b.store.settle(vec![delivery], &b.policy).await.unwrap()[0];
    b.check("settled").await;
    applied
}

async fn bodies(b: &Bench) -> Vec<String> {
    let bodies: Vec<(Option<Vec<u8>>,)> =
        b.database.all("SELECT body FROM webhook_inbox ORDER BY id").await;
    bodies.into_iter().map(|(body,)| String::from_utf8(body.unwrap_or_default()).unwrap()).collect()
}

async fn nothing_of_the_person_stays(b: &Bench) {
    let batch = b.submit(&[clodura("xc1").linkedin("jane"), clodura("xc2")]).await;
    let call = b.claim(Clodura).await.remove(0);
    b.accept_with(&call, Some("track-xc1")).await;
    webhook(b, &call, r#"{"personId": "xc1", "firstName": "Jane"}"#, vec![found("xc1")]).await;
    assert!(is_named(b, "jane").await && is_named(b, "xc1").await && is_named(b, "row 1").await);
    let erased = erase(b, "linkedin.com/in/jane").await;
    assert_eq!(erased, Erased { identifiers: 2, reveals: 1, rows: 1, phones: 1, bodies: 1 });
    for text in ["jane", "Jane", "xc1", "row 1", "+45"] {
        assert!(!is_named(b, text).await, "{text} is still there");
    }
    let shown = b.shown(batch).await;
    assert_eq!(
        (shown[0].state.as_str(), shown[0].reason.as_deref()),
        ("cancelled", Some("erased"))
    );
    assert_eq!(shown[0].phones, None);
    assert_eq!(shown[1].state, "sending");
}

async fn an_erased_person_is_not_asked_for_again(b: &Bench) {
    b.submit(&[ocean("o1").linkedin("jane").by(&[Ocean])]).await;
    erase(b, "ocean:o1").await;
    let people = [linkedin("jane"), ocean("o1"), ocean("o2")];
    let batch = b.begin(Default::default()).await;
    let loaded = b.load(&batch, &people).await;
    assert_eq!((loaded.rows, loaded.erased), (3, 2));
    b.publish(&batch).await;
    let batch = b.batch_number(&batch).await;
    assert_eq!(b.states(batch).await, ["cancelled", "cancelled", "queued"]);
    assert!(!is_named(b, "jane").await);
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2"]);
    assert!(b.claim(Clodura).await.is_empty());
}

async fn every_identifier_is_followed(b: &Bench) {
    let first = b.submit(&[ocean("o1").clodura("xc1"), ocean("o1").linkedin("jane")]).await;
    let second = b.submit(&[linkedin("jane"), clodura("xc9")]).await;
    let erased = erase(b, "clodura:xc1").await;
    assert_eq!(erased.identifiers, 3);
    assert_eq!(b.states(first).await, ["cancelled", "cancelled"]);
    assert_eq!(b.states(second).await, ["cancelled", "queued"]);
    for text in ["o1", "xc1", "jane"] {
        assert!(!is_named(b, text).await, "{text} is still there");
    }
}

async fn a_person_in_the_queue_is_not_sent(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    erase(b, "ocean:o2").await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1", "ocean:o3"]);
    assert_eq!(b.states(batch).await, ["sending", "cancelled", "sending"]);
}

async fn an_answer_for_one_is_discarded(b: &Bench) {
    let batch = b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept_with(&call, Some("t1")).await;
    erase(b, "linkedin.com/in/jane").await;
    let applied = webhook(b, &call, r#"{"personId": "xc77"}"#, vec![found("xc77")]).await;
    assert_eq!(applied, Applied::Erased);
    assert_eq!(b.states(batch).await, ["cancelled"]);
    assert!(!is_named(b, "xc77").await);
    // The id under which the answer came turned out to be theirs.
    let again = b.submit(&[clodura("xc77")]).await;
    assert_eq!(b.states(again).await, ["cancelled"]);
}

async fn an_answer_for_many_loses_one_entry(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    erase(b, "ocean:o2").await;
    let body = r#"{"phones": [{"personId": "o1"}, {"personId": "o2"}, {"personId": "o3"}]}"#;
    let results = vec![found("o1"), found("o2"), not_found("o3")];
    assert_eq!(webhook(b, &call, body, results).await, Applied::Applied);
    assert_eq!(b.states(batch).await, ["found", "cancelled", "not_found"]);
    assert_eq!(bodies(b).await, [r#"{"phones":[{"personId":"o1"},{"personId":"o3"}]}"#]);
    let state = format!("SELECT state FROM calls WHERE call_id = '{}'", call.call_id);
    assert_eq!(b.database.one::<(String,)>(&state).await.0, "done");
}

async fn stored_bodies_lose_one_entry(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let body = r#"{"phones": [{"personId": "o1", "numbers": ["+4511"]}, {"personId": "o2"}]}"#;
    webhook(b, &call, body, vec![found("o1"), found("o2")]).await;
    assert_eq!(erase(b, "ocean:o1").await.bodies, 1);
    assert_eq!(bodies(b).await, [r#"{"phones":[{"personId":"o2"}]}"#]);
}

async fn a_number_leads_to_those_who_have_it(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    b.database.run("UPDATE phones SET raw = '+45 (1) 23-4', e164 = '+451234'").await;
    let phone = |e164: Option<&str>, raw: &str| Whom::Phone {
        e164: e164.map(str::to_owned),
        raw: raw.to_owned(),
    };
    assert_eq!(b.store.identify(&phone(Some("+451234"), "+45 1234")).await.unwrap().len(), 2);
    b.database.run("UPDATE phones SET e164 = NULL").await;
    assert_eq!(b.store.identify(&phone(None, "45-1234")).await.unwrap().len(), 2);
    assert!(b.store.identify(&phone(Some("+459"), "+459")).await.unwrap().is_empty());
}

async fn somebody_unknown_is_remembered(b: &Bench) {
    assert_eq!(erase(b, "ocean:o1").await, Erased { identifiers: 1, ..Erased::default() });
    let batch = b.submit(&oceans(1..=1)).await;
    assert_eq!(b.states(batch).await, ["cancelled"]);
    assert!(b.is_finished(batch).await);
}
