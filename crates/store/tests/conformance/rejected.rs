//! Bad rows that a submit left out: kept with the batch, forgotten with it, and erased.

use std::collections::BTreeSet;

use store::{ErasureTarget, RejectedRow};

use crate::harness::people::{Options, ocean};
use crate::harness::{Bench, on_both};

on_both!(bad_rows_live_as_long_as_their_batch, an_erased_person_is_in_no_bad_row);

fn rejected(position: i64, after_row: i64, cell: &str) -> RejectedRow {
    let fields = format!("[\"{cell}\"]");
    RejectedRow { position, after_row, fields, reason: "is bad".into() }
}

async fn count(b: &Bench) -> i64 {
    b.database.number("SELECT COUNT(*) FROM rejected_rows").await
}

async fn bad_rows_live_as_long_as_their_batch(b: &Bench) {
    let dead = b.begin(Options::default()).await;
    b.store.batches().load_rejected(&dead, vec![rejected(1, 0, "x")]).await.expect("keeps");
    b.store.batches().abandon(&dead).await.expect("abandons");
    assert_eq!(count(b).await, 0);
    let batch = b.begin(Options::default()).await;
    b.load(&batch, &[ocean("o1"), ocean("o2")]).await;
    let many = (1..=2_500).map(|n| rejected(n, n % 3, "x")).collect();
    b.store.batches().load_rejected(&batch, many).await.expect("keeps");
    b.publish(&batch).await;
    let batch = b.batch_ref(b.batch_number(&batch).await).await;
    let some = b.store.batches().rejected_rows(&batch, 1_000, 10).await.expect("reads");
    let places: Vec<(i64, i64)> = some.iter().map(|row| (row.position, row.after_row)).collect();
    assert_eq!(places[..3], [(1_001, 2), (1_002, 0), (1_003, 1)]);
    assert_eq!(places.len(), 10);
}

async fn an_erased_person_is_in_no_bad_row(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    b.load(&batch, &[ocean("o1").linkedin("ann")]).await;
    let rows = ["https://linkedin.com/in/Ann", "linkedin.com/in/anne", "o1"];
    let rows = (1..).zip(rows).map(|(n, cell)| rejected(n, 0, cell)).collect();
    b.store.batches().load_rejected(&batch, rows).await.expect("keeps");
    b.publish(&batch).await;
    let target = ErasureTarget::Identifiers(BTreeSet::from(["ocean:o1".to_owned()]));
    for person in b.store.privacy().identify(&target).await.expect("identifies") {
        b.store.privacy().erase(&person).await.expect("erases");
    }
    let left: Vec<(String,)> = b.database.all("SELECT fields FROM rejected_rows").await;
    assert_eq!(left, [("[\"linkedin.com/in/anne\"]".to_owned(),)]);
}
