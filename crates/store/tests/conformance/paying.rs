//! Which row shows the cost of a person, whatever became of the batch that should pay.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::Finding;
use store::ClaimedCall;

use crate::harness::people::{Options, Who, clodura, ocean, oceans};
use crate::harness::{Bench, found, not_found, on_both, result};

on_both!(
    a_submit_that_died_pays_for_no_person,
    two_that_load_at_once,
    the_batch_with_room_shows_the_cost,
    what_a_cancelled_batch_was_to_pay,
    a_row_that_comes_to_a_paid_person_shares,
    a_row_that_shared_pays_at_the_next_provider,
    found_late_where_the_row_began,
    answered_by_a_call_that_another_batch_paid,
);

fn both(n: u32) -> Who {
    ocean(&format!("o{n}")).clodura(&format!("c{n}"))
}

/// The cost of each row of a batch, and whether another row pays for it (`shared`).
async fn bill(b: &Bench, batch: i64) -> Vec<(i64, i64)> {
    b.shown(batch).await.into_iter().map(|row| (row.credits, row.shared)).collect()
}

/// Finds all people of a call.
async fn all_found(b: &Bench, call: &ClaimedCall) {
    b.accept(call).await;
    let id = |person: &String| person.split_once(':').unwrap().1.to_owned();
    b.webhook(call, call.people.iter().map(|person| found(&id(person))).collect()).await;
    b.check("found").await;
}

async fn spent(b: &Bench, batch: i64) -> i64 {
    let sql = format!(
        "SELECT CAST(SUM(credits_spent) / 1000 AS BIGINT) FROM batch_totals WHERE batch_id = {batch}"
    );
    b.database.number(&format!("SELECT CAST(COALESCE(({sql}), 0) AS BIGINT)")).await
}

/// A killed submit has left its rows. People that are submitted again count as new all the same.
async fn a_submit_that_died_pays_for_no_person(b: &Bench) {
    let people = [both(1), both(2), both(1), ocean("o3")];
    let died = b.begin(Options::default()).await;
    let first = b.load(&died, &people).await;
    assert_eq!((first.rows, first.shared), (4, 1));
    let again = b.begin(Options::default()).await;
    let second = b.load(&again, &people).await;
    assert_eq!(second, first);
    assert_eq!(second.new_people, [(Ocean, 3), (Clodura, 2)].into());
    b.check("loaded twice").await;
    b.publish(&again).await;
    let again = b.batch_number(&again).await;
    all_found(b, &b.claim_one(Ocean).await).await;
    assert_eq!(bill(b, again).await, [(1, 0), (1, 0), (0, 1), (1, 0)]);
    b.store.batches().abandon(&died).await.unwrap();
    b.check("abandoned").await;
    assert_eq!((spent(b, again).await, bill(b, again).await.len()), (3, 4));
}

/// Both batches expect to pay; the one that pays shows the cost.
async fn two_that_load_at_once(b: &Bench) {
    let one = b.begin(Options::default()).await;
    let other = b.begin(Options::default()).await;
    for batch in [&one, &other] {
        assert_eq!(b.load(batch, &oceans(1..=2)).await.shared, 0);
    }
    b.publish(&one).await;
    b.publish(&other).await;
    all_found(b, &b.claim_one(Ocean).await).await;
    let (one, other) = (b.batch_number(&one).await, b.batch_number(&other).await);
    assert_eq!((spent(b, one).await, spent(b, other).await), (2, 0));
    assert_eq!(bill(b, one).await, [(1, 0); 2]);
    assert_eq!(bill(b, other).await, [(0, 1); 2]);
}

async fn the_batch_with_room_shows_the_cost(b: &Bench) {
    let full = b.submit_with(&oceans(1..=2), Options::ceiling(Ocean, 1)).await;
    let other = b.submit(&oceans(2..=2)).await;
    assert_eq!(bill(b, other).await, [(0, 1)]);
    for _ in 0..2 {
        for call in b.claim(Ocean).await {
            all_found(b, &call).await;
        }
    }
    assert_eq!((spent(b, full).await, spent(b, other).await), (1, 1));
    assert_eq!(bill(b, full).await, [(1, 0), (0, 1)]);
    assert_eq!(bill(b, other).await, [(1, 0)]);
}

async fn what_a_cancelled_batch_was_to_pay(b: &Bench) {
    let first = b.submit(&oceans(1..=2)).await;
    let second = b.submit(&[ocean("o2"), ocean("o2")]).await;
    assert_eq!(bill(b, second).await, [(0, 1); 2]);
    b.cancel(first).await;
    all_found(b, &b.claim_one(Ocean).await).await;
    assert_eq!(bill(b, second).await, [(1, 0), (0, 1)]);
    assert_eq!(spent(b, second).await, 1);
}

/// A person that the first provider doesn't know was asked for at the second provider by another batch.
async fn a_row_that_comes_to_a_paid_person_shares(b: &Bench) {
    let first = b.submit(&[clodura("c1")]).await;
    let asked = b.claim_one(Clodura).await;
    b.accept(&asked).await;
    let second = b.submit(&[both(1)]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    b.check("joined").await;
    b.webhook(&asked, vec![found("c1")]).await;
    b.check("found").await;
    assert_eq!((bill(b, first).await, bill(b, second).await), (vec![(1, 0)], vec![(0, 1)]));
}

/// Another batch pays at the first provider. The second batch's row goes on to the next provider alone.
async fn a_row_that_shared_pays_at_the_next_provider(b: &Bench) {
    let first = b.submit(&[ocean("o1")]).await;
    let second = b.submit(&[both(1)]).await;
    assert_eq!(bill(b, second).await, [(0, 1)]);
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c1")]).await;
    b.check("found at the second").await;
    assert_eq!((bill(b, first).await, bill(b, second).await), (vec![(0, 0)], vec![(1, 0)]));
    assert_eq!(spent(b, second).await, 1);
}

/// Both providers were asked in the end: the row shows the cost at the provider that found the person.
async fn found_late_where_the_row_began(b: &Bench) {
    let first = b.submit(&[ocean("o1"), ocean("o1")]).await;
    let second = b.submit(&[both(1)]).await;
    let ocean = b.claim_one(Ocean).await;
    b.accept(&ocean).await;
    b.webhook(&ocean, vec![not_found("o1")]).await;
    let clodura = b.claim_one(Clodura).await;
    b.accept(&clodura).await;
    assert_eq!(bill(b, second).await, [(0, 0)]);
    b.webhook(&ocean, vec![found("o1")]).await;
    b.check("found after all").await;
    assert_eq!(b.states(second).await, ["found"]);
    assert_eq!((bill(b, first).await, bill(b, second).await), (vec![(1, 0), (0, 1)], vec![(0, 1)]));
}

/// The provider lacked credits for a person, but an answer comes after all. By then the person's batch
/// is cancelled, and another batch wants the person.
async fn answered_by_a_call_that_another_batch_paid(b: &Bench) {
    let first = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![result("o1", Finding::OutOfCredits)]).await;
    b.cancel(first).await;
    let second = b.submit(&oceans(1..=1)).await;
    assert_eq!(bill(b, second).await, [(0, 0)]);
    b.webhook(&call, vec![not_found("o1")]).await;
    b.check("answered after all").await;
    assert_eq!(b.states(second).await, ["not_found"]);
    assert_eq!(bill(b, second).await, [(0, 1)]);
}
