//! Batches that want mobile numbers go on if only other numbers are found, pay for no person twice, and lose no found number.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Finding, PersonResult, Phone};
use store::{Preview, RetryStates};

use crate::harness::people::{Options, Who, clodura, ocean, rows};
use crate::harness::{Bench, HOUR, not_found, on_both, result};

on_both!(
    a_batch_goes_on_past_a_landline,
    a_later_step_without_a_number_gives_the_landline_back,
    a_mobile_number_is_enough,
    a_landline_that_is_known_is_not_paid_for_again,
    a_cancelled_batch_shows_what_was_found,
    an_expired_step_gives_the_landline_back,
    a_retry_keeps_the_landline,
);

const LANDLINE: &str = "+4533121212";
const MOBILE: &str = "+4520123456";

fn numbers(person: &str, numbers: &[&str]) -> PersonResult {
    let phone = |number: &&str| {
        let kind = (**number == *LANDLINE).then(|| "landline".into());
        Phone::new((*number).to_owned(), Some((*number).to_owned()), None, kind)
    };
    result(person, Finding::Found { phones: numbers.iter().map(phone).collect(), credits: None })
}

fn ann() -> Who {
    ocean("o1").clodura("c1")
}

async fn submit(b: &Bench) -> i64 {
    b.submit_with(&[ann()], Options::wanting_mobile()).await
}

/// Asks Ocean for the only person, and finds these numbers.
async fn at_ocean(b: &Bench, found: &[&str]) {
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![numbers("o1", found)]).await;
    b.check("Ocean's answer").await;
}

/// The one row's state, provider and numbers, in the view and the export alike.
async fn row(b: &Bench, batch: i64) -> (String, String, String) {
    let shown = b.shown(batch).await.remove(0);
    let phones = shown.phones.unwrap_or_default();
    let mut pages = b.store.reports().export_pages(b.batch_ref(batch).await, 10);
    let page = pages.recv().await.expect("a page").expect("reads");
    let exported = page.rows().next().expect("a row");
    let numbers: Vec<&str> = exported.phones.iter().map(|phone| phone.number).collect();
    assert_eq!(numbers.join(";"), phones, "the export");
    let listed: Vec<(String,)> = b
        .database
        .all(&format!(
            "SELECT phone FROM row_phones WHERE batch_id = (SELECT batch_id FROM batches WHERE id = {batch})
             ORDER BY position"
        ))
        .await;
    let listed: Vec<String> = listed.into_iter().map(|(phone,)| phone).collect();
    assert_eq!(listed.join(";"), phones, "row_phones");
    (shown.state, shown.provider.unwrap_or_default(), phones)
}

fn is(state: &str, provider: &str, phones: &str) -> (String, String, String) {
    (state.to_owned(), provider.to_owned(), phones.to_owned())
}

async fn a_batch_goes_on_past_a_landline(b: &Bench) {
    let batch = submit(b).await;
    let plain = b.submit(&[ann()]).await;
    at_ocean(b, &[LANDLINE]).await;
    assert_eq!(row(b, batch).await, is("queued", "clodura", LANDLINE));
    assert_eq!(row(b, plain).await, is("found", "ocean", LANDLINE));
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![numbers("c1", &[MOBILE, LANDLINE])]).await;
    assert_eq!(row(b, batch).await, is("found", "clodura", &format!("{MOBILE};{LANDLINE}")));
    assert!(b.claim(Ocean).await.is_empty());
    b.check_paid_once().await;
}

async fn a_later_step_without_a_number_gives_the_landline_back(b: &Bench) {
    let batch = submit(b).await;
    at_ocean(b, &[LANDLINE]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("c1")]).await;
    assert_eq!(row(b, batch).await, is("found", "ocean", LANDLINE));
}

async fn a_mobile_number_is_enough(b: &Bench) {
    let batch = submit(b).await;
    at_ocean(b, &[LANDLINE, MOBILE]).await;
    assert_eq!(row(b, batch).await, is("found", "ocean", &format!("{LANDLINE};{MOBILE}")));
    assert!(b.claim(Clodura).await.is_empty());
}

async fn a_landline_that_is_known_is_not_paid_for_again(b: &Bench) {
    b.submit(&[ocean("o1").clodura("c1").by(&[Ocean])]).await;
    at_ocean(b, &[LANDLINE]).await;
    let people = [ann(), clodura("c2")];
    let mut preview = Preview::new(None).wanting_mobile(true);
    let tried = b.store.batches().preview(&mut preview, rows(&people)).await.expect("a preview");
    let batch = b.begin(Options::wanting_mobile()).await;
    let loaded = b.load(&batch, &people).await;
    assert_eq!(tried, loaded);
    assert_eq!(loaded.new_people, [(Clodura, 2)].into());
    b.publish(&batch).await;
    let batch = b.batch_number(&batch).await;
    assert!(b.claim(Ocean).await.is_empty());
    assert_eq!(row(b, batch).await, is("queued", "clodura", LANDLINE));
}

async fn a_cancelled_batch_shows_what_was_found(b: &Bench) {
    let batch = submit(b).await;
    at_ocean(b, &[LANDLINE]).await;
    b.cancel(batch).await;
    b.check("cancelled").await;
    assert_eq!(row(b, batch).await, is("found", "ocean", LANDLINE));
    assert!(b.claim(Clodura).await.is_empty());
}

async fn an_expired_step_gives_the_landline_back(b: &Bench) {
    let batch = submit(b).await;
    at_ocean(b, &[LANDLINE]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.advance(100 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.expect("sweeps");
    assert_eq!(row(b, batch).await, is("found", "ocean", LANDLINE));
}

async fn a_retry_keeps_the_landline(b: &Bench) {
    let batch = submit(b).await;
    at_ocean(b, &[LANDLINE]).await;
    b.cancel(batch).await;
    let chosen = RetryStates { failed: true, expired: true, cancelled: true };
    b.store.batches().retry(&b.batch_ref(batch).await, chosen).await.expect("retries");
    b.check("retried").await;
    assert_eq!(row(b, batch).await.2, LANDLINE);
}
