//! People and numbers that must never be asked for or exported: checks at a submit, before sending, and at an export.

use jobs::Identifier;
use jobs::IdentifierKind::{CloduraPersonId, LinkedinUrl, OceanPersonId};
use jobs::Provider::{Clodura, Ocean};
use store::{Preview, RetryStates, Suppressed, Suppression, SuppressionCount, Unsuppressed};

use crate::harness::people::{Options, clodura, linkedin, ocean, rows};
use crate::harness::{Bench, found, not_found, on_both};

on_both!(
    a_submit_asks_for_no_suppressed_person,
    a_person_is_suppressed_under_other_identifiers,
    a_row_says_that_a_known_person_is_suppressed,
    what_waits_ends_in_mid_batch,
    what_was_asked_keeps_its_course,
    a_later_step_is_not_asked,
    a_submit_that_loads_meanwhile_asks_for_none,
    an_export_leaves_out_people_and_numbers,
    who_is_taken_off_the_list_is_asked_again,
    a_person_taken_off_with_others_is_asked_again,
    two_entries_of_one_person_count_both,
    the_list_is_counted_and_audited,
);

fn person(kind: jobs::IdentifierKind, text: &str) -> Suppression {
    Suppression::Person(Identifier::parse(kind, text).expect("an identifier"))
}

fn profile(slug: &str) -> Suppression {
    person(LinkedinUrl, &format!("linkedin.com/in/{slug}"))
}

async fn suppress(b: &Bench, list: &[Suppression]) -> Suppressed {
    b.store.privacy().suppress(list).await.expect("suppresses")
}

/// The rows of a batch as `state:reason`.
async fn ends(b: &Bench, batch: i64) -> Vec<String> {
    let rows = b.shown(batch).await.into_iter();
    rows.map(|row| format!("{}:{}", row.state, row.reason.unwrap_or_default())).collect()
}

async fn a_submit_asks_for_no_suppressed_person(b: &Bench) {
    let done = suppress(b, &[profile("ann"), profile("ann"), person(OceanPersonId, "o2")]).await;
    assert_eq!(done, Suppressed { added: 2, rows: 0 });
    let people = [linkedin("ann"), ocean("o2"), ocean("o3"), linkedin("bob")];
    let mut preview = Preview::new(None);
    let tried = b.store.batches().preview(&mut preview, rows(&people)).await.expect("a preview");
    let batch = b.begin(Options::default()).await;
    let loaded = b.load(&batch, &people).await;
    assert_eq!((loaded.rows, loaded.suppressed), (4, 2));
    assert_eq!(loaded.new_people, [(Ocean, 1), (Clodura, 1)].into());
    assert_eq!(tried, loaded);
    b.publish(&batch).await;
    let batch = b.batch_number(&batch).await;
    let expected = ["cancelled:suppressed", "cancelled:suppressed", "queued:", "queued:"];
    assert_eq!(ends(b, batch).await, expected);
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o3"]);
    assert_eq!(b.claim_one(Clodura).await.people, ["linkedin.com/in/bob"]);
}

async fn a_person_is_suppressed_under_other_identifiers(b: &Bench) {
    let first = b.submit(&[ocean("o1").clodura("c1").linkedin("ann").by(&[Ocean])]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    assert_eq!(ends(b, first).await, ["not_found:"]);
    suppress(b, &[profile("ann")]).await;
    let batch = b.submit(&[clodura("c1"), clodura("c2")]).await;
    assert_eq!(ends(b, batch).await, ["cancelled:suppressed", "queued:"]);
}

/// A row joins a suppressed address with an id that already waits and was not suppressed so far.
async fn a_row_says_that_a_known_person_is_suppressed(b: &Bench) {
    suppress(b, &[profile("ann")]).await;
    let waiting = b.submit(&[clodura("c1")]).await;
    let batch = b.submit(&[clodura("c1").linkedin("ann")]).await;
    assert_eq!(ends(b, batch).await, ["cancelled:suppressed"]);
    assert!(b.claim(Clodura).await.is_empty(), "the id is hers");
    assert_eq!(ends(b, waiting).await, ["cancelled:suppressed"]);
}

async fn what_waits_ends_in_mid_batch(b: &Bench) {
    let batch = b.submit(&[ocean("o1"), ocean("o2"), ocean("o1")]).await;
    let done = suppress(b, &[person(OceanPersonId, "o1"), person(CloduraPersonId, "c9")]).await;
    assert_eq!(done, Suppressed { added: 2, rows: 2 });
    let expected = ["cancelled:suppressed", "queued:", "cancelled:suppressed"];
    assert_eq!(ends(b, batch).await, expected);
    b.check("suppressed").await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2"]);
    let chosen = RetryStates { failed: true, expired: true, cancelled: true };
    let batch = b.batch_ref(batch).await;
    assert_eq!(b.store.batches().retry(&batch, chosen).await.expect("retries").rows, 0);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn what_was_asked_keeps_its_course(b: &Bench) {
    let batch = b.submit(&[ocean("o1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let done = suppress(b, &[person(OceanPersonId, "o1")]).await;
    assert_eq!(done, Suppressed { added: 1, rows: 0 });
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(ends(b, batch).await, ["found:"]);
}

async fn a_later_step_is_not_asked(b: &Bench) {
    let batch = b.submit(&[ocean("o1").linkedin("ann")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    suppress(b, &[profile("ann")]).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    assert!(b.claim(Clodura).await.is_empty());
    assert_eq!(ends(b, batch).await, ["cancelled:suppressed"]);
}

async fn a_submit_that_loads_meanwhile_asks_for_none(b: &Bench) {
    let loading = b.begin(Options::default()).await;
    b.load(&loading, &[ocean("o1"), ocean("o2")]).await;
    suppress(b, &[person(OceanPersonId, "o1")]).await;
    b.load_after(&loading, 2, &[ocean("o1"), ocean("o3")]).await;
    b.publish(&loading).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2", "ocean:o3"]);
}

/// State, reason and numbers of a batch's rows in an export.
async fn exported(b: &Bench, batch: i64) -> Vec<(String, Option<String>, Vec<String>)> {
    let mut pages = b.store.reports().export_pages(b.batch_ref(batch).await, 100);
    let mut all = Vec::new();
    while let Some(page) = pages.recv().await {
        for row in page.expect("a page").rows() {
            let phones = row.phones.iter().map(|phone| phone.number.to_owned()).collect();
            all.push((row.state.to_owned(), row.reason.map(str::to_owned), phones));
        }
    }
    all
}

async fn an_export_leaves_out_people_and_numbers(b: &Bench) {
    let people = [ocean("o1"), ocean("o2").linkedin("ann").by(&[Ocean]), ocean("o3")];
    let batch = b.submit(&people).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), found("o2"), found("o3")]).await;
    let all = exported(b, batch).await;
    assert!(all.iter().all(|(state, _, phones)| state == "found" && phones.len() == 1));
    let number = all[2].2[0].clone();
    suppress(b, &[profile("ann"), Suppression::Phone(number)]).await;
    let suppressed = ("cancelled".to_owned(), Some("suppressed".to_owned()), Vec::new());
    assert_eq!(exported(b, batch).await, [all[0].clone(), suppressed.clone(), suppressed]);
    assert_eq!(ends(b, batch).await, ["found:"; 3], "the ledger keeps what was paid for");
}

async fn who_is_taken_off_the_list_is_asked_again(b: &Bench) {
    let first = b.submit(&[ocean("o1").linkedin("ann").by(&[Ocean])]).await;
    suppress(b, &[profile("ann")]).await;
    assert_eq!(ends(b, first).await, ["cancelled:suppressed"]);
    let off =
        b.store.privacy().unsuppress(&[profile("ann"), profile("bob")]).await.expect("takes off");
    assert_eq!(off, Unsuppressed { removed: 1, still_suppressed: 0 });
    assert_eq!(ends(b, first).await, ["cancelled:suppressed"]);
    b.submit(&[ocean("o1")]).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
}

async fn a_person_taken_off_with_others_is_asked_again(b: &Bench) {
    suppress(b, &[profile("ann"), profile("bob")]).await;
    let loading = b.begin(Options::default()).await;
    b.load(&loading, &[linkedin("ann"), linkedin("bob")]).await;
    let off = b.store.privacy().unsuppress(&[profile("ann")]).await.expect("takes off");
    assert_eq!(off, Unsuppressed { removed: 1, still_suppressed: 0 });
    b.load_after(&loading, 2, &[linkedin("ann"), linkedin("bob")]).await;
    b.publish(&loading).await;
    let batch = b.batch_number(&loading).await;
    let suppressed = "cancelled:suppressed";
    assert_eq!(ends(b, batch).await, [suppressed, suppressed, "queued:", suppressed]);
    suppress(b, &[profile("ann")]).await;
    let batch = b.submit(&[linkedin("ann")]).await;
    assert_eq!(ends(b, batch).await, [suppressed]);
}

async fn two_entries_of_one_person_count_both(b: &Bench) {
    b.submit(&[ocean("o1").linkedin("ann").by(&[Ocean])]).await;
    suppress(b, &[profile("ann"), person(OceanPersonId, "o1")]).await;
    let off = b.store.privacy().unsuppress(&[profile("ann")]).await.expect("takes off");
    assert_eq!(off, Unsuppressed { removed: 1, still_suppressed: 1 });
    let batch = b.submit(&[linkedin("ann"), ocean("o1")]).await;
    assert_eq!(ends(b, batch).await, ["cancelled:suppressed"; 2]);
}

async fn the_list_is_counted_and_audited(b: &Bench) {
    use store::{Actor, Origin};
    let store = b.store.acting_as(Actor::new(Origin::Enqueue, "ann", None));
    let list = [profile("ann"), profile("bob"), Suppression::Phone("+4512345678".into())];
    store.privacy().suppress(&list).await.expect("suppresses");
    store.privacy().unsuppress(&list[..1]).await.expect("takes off");
    let counted = store.privacy().suppressions().await.expect("counts");
    let counted: Vec<(&str, i64, &str)> = counted
        .iter()
        .map(|SuppressionCount { kind, entries, last_added_at }| {
            (kind.as_str(), *entries, last_added_at.as_str())
        })
        .collect();
    let at = "2033-05-18T03:33:20.000Z";
    assert_eq!(counted, [("linkedin_url", 1, at), ("phone", 1, at)]);
    let log = store.audit().entries(None, 10).await.expect("the log");
    let logged: Vec<(&str, Option<&str>)> =
        log.iter().map(|entry| (entry.action.as_str(), entry.details.as_deref())).collect();
    assert_eq!(logged, [("unsuppress", Some("entries=1")), ("suppress", Some("entries=3"))]);
    let stored: Vec<(String,)> =
        b.database.all("SELECT CAST(hash AS TEXT) || kind FROM suppressions").await;
    assert!(stored.iter().all(|(text,)| !text.contains("bob") && !text.contains("4512345678")));
}
