//! `enqueue erase`: nothing of a person stays, and nothing comes back.

use std::collections::BTreeSet;

use jobs::Provider::{Clodura, Ocean};
use store::{Applied, Delivery, Erased, ErasureTarget, NewWebhook};

use crate::harness::people::{clodura, linkedin, ocean, oceans};
use crate::harness::{Bench, HOUR, found, not_found, on_both};

on_both!(
    nothing_of_the_person_stays,
    an_erased_person_is_not_asked_for_again,
    every_identifier_is_followed,
    a_person_in_the_queue_is_not_sent,
    an_answer_for_one_is_discarded,
    an_answer_for_many_loses_one_entry,
    stored_bodies_lose_one_entry,
    a_number_leads_to_those_who_have_it,
    an_unknown_person_is_remembered,
    rows_that_show_another_person_lose_their_columns,
    rejected_rows_are_known_by_the_own_address,
    words_of_providers_go_along,
    bodies_of_other_requests_lose_the_entry,
    a_body_of_a_purged_request_is_not_kept,
    no_byte_of_many_is_left,
);

/// Erases the person who has an identifier.
async fn erase(b: &Bench, identifier: &str) -> Erased {
    let target = ErasureTarget::Identifiers(BTreeSet::from([identifier.to_owned()]));
    let people = b.store.privacy().identify(&target).await.unwrap();
    assert_eq!(people.len(), 1);
    let erased = b.store.privacy().erase(&people[0]).await.unwrap().erased;
    b.check("erased").await;
    erased
}

/// Whether `text` is anywhere in the ledger where a person may be named.
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
        ("free_requests", "tracking_id"),
        ("erasures", "CAST(hash AS TEXT)"),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{text}%'");
        found += b.database.number(&sql).await;
    }
    let bodies: Vec<(Vec<u8>,)> =
        b.database.all("SELECT body FROM webhook_inbox WHERE body IS NOT NULL").await;
    found > 0 || bodies.iter().any(|(body,)| String::from_utf8_lossy(body).contains(text))
}

/// Stores a webhook with this body, and settles it with `results`.
async fn webhook(
    b: &Bench,
    call: &store::ClaimedCall,
    body: &str,
    results: Vec<jobs::outcome::PersonResult>,
) -> Applied {
    webhook_to(b, call.provider, call.call_id.to_string(), body, results).await
}

async fn webhook_to(
    b: &Bench,
    provider: jobs::Provider,
    call_id: String,
    body: &str,
    results: Vec<jobs::outcome::PersonResult>,
) -> Applied {
    let body = body.as_bytes().to_vec();
    let new = NewWebhook { provider, call_id, body, malformed: false };
    b.store.results().store_webhook(new).await.unwrap();
    let stored = b.store.results().pending_webhooks(10, 1 << 20).await.unwrap().pop().unwrap();
    let delivery = Delivery::new(provider, stored.call_id, Some(stored.id), results, None);
    let applied = b.store.results().settle(vec![delivery], &b.policy).await.unwrap()[0];
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
    // The id in the answer turned out to be the erased person's.
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
    let phone = |e164: Option<&str>, raw: &str| ErasureTarget::Phone {
        e164: e164.map(str::to_owned),
        raw: raw.to_owned(),
    };
    assert_eq!(
        b.store.privacy().identify(&phone(Some("+451234"), "+45 1234")).await.unwrap().len(),
        2
    );
    b.database.run("UPDATE phones SET e164 = NULL").await;
    assert_eq!(b.store.privacy().identify(&phone(None, "45-1234")).await.unwrap().len(), 2);
    assert!(b.store.privacy().identify(&phone(Some("+459"), "+459")).await.unwrap().is_empty());
}

async fn an_unknown_person_is_remembered(b: &Bench) {
    assert_eq!(erase(b, "ocean:o1").await, Erased { identifiers: 1, ..Erased::default() });
    let batch = b.submit(&oceans(1..=1)).await;
    assert_eq!(b.states(batch).await, ["cancelled"]);
    assert!(b.is_finished(batch).await);
}

async fn rows_that_show_another_person_lose_their_columns(b: &Bench) {
    // The address is on rows with two different ids, so it joins neither of them.
    let batch = b.submit(&[clodura("xc1").linkedin("jane"), clodura("xc2").linkedin("jane")]).await;
    let other = b.submit(&[linkedin("jane")]).await;
    erase(b, "linkedin.com/in/jane").await;
    assert!(!is_named(b, "in/jane").await);
    assert_eq!(b.states(batch).await, ["queued", "queued"]);
    assert_eq!(b.states(other).await, ["cancelled"]);
}

async fn rejected_rows_are_known_by_the_own_address(b: &Bench) {
    let batch = b.begin(Default::default()).await;
    b.load(&batch, &oceans(1..=1)).await;
    let rejected = |position, fields: &str| store::RejectedRow {
        position,
        after_row: 1,
        fields: fields.into(),
        reason: "no identifier".into(),
    };
    let rejected = vec![
        rejected(1, r#"["Jane@X.example",""]"#),
        rejected(2, r#"["bob@x.example","rep@y.example"]"#),
    ];
    b.store.batches().load_rejected(&batch, rejected).await.unwrap();
    b.publish(&batch).await;
    b.database.run(r#"UPDATE batches SET header = '["Email","Owner"]'"#).await;
    b.database.run(r#"UPDATE batch_rows SET fields = '["jane@x.example","rep@y.example"]'"#).await;
    erase(b, "ocean:o1").await;
    let left: Vec<(i64,)> = b.database.all("SELECT position FROM rejected_rows").await;
    assert_eq!(left, [(2,)]);
}

async fn words_of_providers_go_along(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    b.submit(&[clodura("xc1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    for sql in [
        "UPDATE calls SET outcome = 'accepted perhaps: HTTP 200: Jane Doe (o1) was found'",
        "UPDATE provider_gates SET message = 'HTTP 403: o1 is not yours'",
        "UPDATE reveals SET reason = 'asked separately: HTTP 422: o1 is no id' WHERE subject = 'ocean:o2'",
    ] {
        b.database.run(sql).await;
    }
    erase(b, "ocean:o1").await;
    let outcome: (String,) = b.database.one("SELECT outcome FROM calls").await;
    assert_eq!(outcome.0, "accepted perhaps: HTTP 200");
    let messages: Vec<(String,)> =
        b.database.all("SELECT DISTINCT message FROM provider_gates").await;
    assert_eq!(messages, [("HTTP 403".to_owned(),)]);
    let reason = "SELECT reason FROM reveals WHERE subject = 'ocean:o2'";
    assert_eq!(b.database.one::<(String,)>(reason).await.0, "asked separately: HTTP 422");
}

async fn bodies_of_other_requests_lose_the_entry(b: &Bench) {
    b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let body = r#"{"phones": [{"personId": "o1"}, {"personId": "o9", "numbers": ["+4511"]}]}"#;
    assert_eq!(webhook(b, &call, body, vec![found("o1"), found("o9")]).await, Applied::Applied);
    assert_eq!(erase(b, "ocean:o9").await.bodies, 1);
    assert_eq!(bodies(b).await, [r#"{"phones":[{"personId":"o1"}]}"#]);
    // The same body after the erasure, now for an unknown call.
    let unknown = jobs::CallId::generate().to_string();
    let applied = webhook_to(b, Ocean, unknown, body, vec![found("o1"), found("o9")]).await;
    assert_eq!(applied, Applied::UnknownCall);
    assert_eq!(bodies(b).await[1], r#"{"phones":[{"personId":"o1"}]}"#);
}

async fn a_body_of_a_purged_request_is_not_kept(b: &Bench) {
    b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    b.advance(48 * HOUR).await;
    assert_eq!(b.store.privacy().purge(HOUR).await.unwrap().purged.calls, 1);
    let body = r#"{"phones": [{"personId": "o1"}]}"#;
    assert_eq!(webhook(b, &call, body, vec![found("o1")]).await, Applied::UnknownCall);
    let broken = r#"{"phones": [{"personId": "o1""#.as_bytes().to_vec();
    let (provider, call_id) = (Ocean, call.call_id.to_string());
    let new = NewWebhook { provider, call_id, body: broken, malformed: true };
    b.store.results().store_webhook(new).await.unwrap();
    assert_eq!(bodies(b).await, ["", ""]);
}

/// Rows in no order, so that pages of indexes are split in many places.
async fn no_byte_of_many_is_left(b: &Bench) {
    let name = |n: u64| format!("x{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let people: Vec<_> =
        (1..=3_000).map(|n| clodura(&name(n)).linkedin(&format!("in-{}", name(n)))).collect();
    b.submit(&people).await;
    let mut traces = store::Traces::default();
    for n in (1..=3_000).step_by(10) {
        let target = ErasureTarget::Identifiers(BTreeSet::from([format!("clodura:{}", name(n))]));
        let person = b.store.privacy().identify(&target).await.unwrap().remove(0);
        traces.merge(b.store.privacy().erase(&person).await.unwrap().traces);
    }
    let scrubbed = b.store.privacy().scrub(traces).await.unwrap();
    assert!(matches!(scrubbed, store::Scrubbed::Clean | store::Scrubbed::Packed), "{scrubbed:?}");
    let Some(file) = b.database.url.strip_prefix("sqlite://") else { return };
    for file in [file.to_owned(), format!("{file}-wal")] {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let left = (1..=3_000).step_by(10).map(name).filter(|name| text.contains(name)).count();
        assert_eq!(left, 0, "{file}");
    }
}
