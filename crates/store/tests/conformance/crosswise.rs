//! Concurrent transactions that lock the same people: none of them deadlocks.

use sqlx::{AssertSqlSafe, Postgres, Transaction};

use crate::harness::database::until_blocking;
use crate::harness::people::{Options, oceans, rows};
use crate::harness::{Bench, on_both};

on_both!(publishing_locks_people_before_the_batch, a_submit_that_meets_a_deadlock_goes_on);

async fn lock(other: &mut Transaction<'static, Postgres>, sql: &str) {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut **other).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Results lock people first, then their batches, so publishing must do the same. Only Postgres has several writers.
async fn publishing_locks_people_before_the_batch(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    b.load(&batch, &oceans(1..=2)).await;
    // The later batch becomes the owner of both people, although it is still loading.
    let later = b.begin(Options::default()).await;
    b.load(&later, &oceans(1..=2)).await;
    let Some(mut other) = b.database.transaction().await else { return b.publish(&batch).await };
    lock(&mut other, "SELECT id FROM reveals ORDER BY id FOR UPDATE").await;
    let store = b.store.clone();
    let publishing = tokio::spawn(async move { store.batches().publish(&batch, None).await });
    until_blocking(&mut other).await;
    lock(&mut other, "SELECT id FROM batches ORDER BY id FOR UPDATE NOWAIT").await;
    other.commit().await.unwrap();
    publishing.await.unwrap().unwrap();
}

/// Postgres aborts one transaction of a deadlock; it may be the submit's.
async fn a_submit_that_meets_a_deadlock_goes_on(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    let again = b.begin(Options::default()).await;
    let Some(mut other) = b.database.transaction().await else { return };
    // A waiting transaction checks for a deadlock after a second, so the submit checks first; for a superuser, it alone does.
    lock(
        &mut other,
        "SELECT CASE WHEN rolsuper THEN set_config('deadlock_timeout', '1h', TRUE) END
         FROM pg_roles WHERE rolname = current_user",
    )
    .await;
    lock(&mut other, "SELECT id FROM reveals WHERE id = 2 FOR UPDATE").await;
    let (store, batch) = (b.store.clone(), again.clone());
    let loading =
        tokio::spawn(async move { store.batches().load(&batch, rows(&oceans(1..=2))).await });
    until_blocking(&mut other).await;
    lock(&mut other, "SELECT id FROM reveals WHERE id = 1 FOR UPDATE").await;
    other.commit().await.unwrap();
    assert_eq!(loading.await.unwrap().unwrap().shared, 2);
}
