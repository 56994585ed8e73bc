//! The spending by the ledger, compared with the balance of the account.

use jobs::Provider::Ocean;
use jobs::outcome::Balance;
use jobs::reconcile::by_day;
use jobs::{Credits, PerPerson};
use store::ClaimedBalance;

use crate::harness::people::oceans;
use crate::harness::{Bench, FAST, HOUR, found, on_both};

on_both!(
    what_is_booked_while_a_balance_is_asked_makes_no_account_fuller,
    purged_batches_make_no_account_fuller,
    a_batch_that_two_purge_at_once_is_spent_once,
    what_the_ledger_does_not_know_is_unexplained,
);

async fn asked(b: &Bench) -> ClaimedBalance {
    b.database.run("UPDATE provider_gates SET balance_due_at = 0").await;
    b.store.gates().claim_balance(Ocean, FAST).await.unwrap().0.expect("a balance is due")
}

async fn answered(b: &Bench, asked: ClaimedBalance, credits: i64) {
    let balance = Balance { credits: Credits::whole(credits), tariff: None, daily: None };
    let price = PerPerson::Fixed(Credits::whole(1));
    b.store.gates().record_balance(asked, Ok(balance), None, price, &b.policy).await.unwrap();
    b.check("a balance").await;
}

async fn read(b: &Bench, credits: i64) {
    answered(b, asked(b).await, credits).await;
}

/// Submits two people, and finds a number for each.
async fn find_two(b: &Bench, from: u32) {
    b.submit(&oceans(from..=from + 1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, (from..=from + 1).map(|n| found(&format!("o{n}"))).collect()).await;
}

async fn left(b: &Bench) -> i64 {
    let left = "SELECT CAST(credits_left AS BIGINT) FROM provider_status WHERE provider = 'ocean'";
    b.database.number(left).await
}

/// The balance may or may not include these two charges already. The ledger subtracts them, because an account that
/// seems emptier than it is does no harm.
async fn what_is_booked_while_a_balance_is_asked_makes_no_account_fuller(b: &Bench) {
    let asked = asked(b).await;
    find_two(b, 1).await;
    answered(b, asked, 100).await;
    assert_eq!(left(b).await, 98);
    read(b, 98).await;
    assert_eq!(left(b).await, 98);
}

async fn purged_batches_make_no_account_fuller(b: &Bench) {
    find_two(b, 1).await;
    b.advance(20 * HOUR).await;
    read(b, 100).await;
    b.advance(10 * HOUR).await;
    assert_eq!(b.store.privacy().purge(24 * HOUR).await.unwrap().purged.batches, 1);
    assert_eq!(left(b).await, 100);
    read(b, 100).await;
    let days = by_day(&b.store.reports().balance_readings().await.unwrap());
    assert!(!days.is_empty());
    assert!(days.iter().all(|day| day.unexplained == Credits::ZERO), "it is still spent: {days:?}");
}

/// On Postgres both purges have read the totals of the batch before one of them deletes it.
async fn a_batch_that_two_purge_at_once_is_spent_once(b: &Bench) {
    find_two(b, 1).await;
    b.advance(20 * HOUR).await;
    read(b, 100).await;
    b.advance(10 * HOUR).await;
    // As after a purge that was cut short.
    b.database.run("DELETE FROM batch_rows").await;
    let release = async {
        if let Some(mut held) = b.database.transaction().await {
            let gates = "SELECT provider FROM provider_gates FOR UPDATE";
            sqlx::query(gates).execute(&mut *held).await.unwrap();
            b.database.until_waiting(2).await;
            held.rollback().await.unwrap();
        }
    };
    let other = b.another_store().await;
    let (one, two) = (b.store.privacy(), other.privacy());
    let ((), first, second) = tokio::join!(release, one.purge(24 * HOUR), two.purge(24 * HOUR));
    first.and(second).unwrap();
    assert_eq!(left(b).await, 100);
}

async fn what_the_ledger_does_not_know_is_unexplained(b: &Bench) {
    read(b, 100).await;
    find_two(b, 1).await;
    read(b, 91).await;
    let days = by_day(&b.store.reports().balance_readings().await.unwrap());
    let [day] = &days[..] else { panic!("one day, one provider: {days:?}") };
    assert_eq!((day.ledger, day.account), (Credits::whole(2), Credits::whole(9)));
    assert_eq!((day.unexplained, day.reserved), (Credits::whole(7), Credits::ZERO));
}
