//! Loading, publishing and abandoning batches.

use jobs::Provider::{Clodura, Ocean};
use jobs::{FileForm, FileFormat, LineEnd};
use store::{Published, StoreError};

use crate::harness::people::{Options, ocean, oceans, rows};
use crate::harness::{Bench, HOUR, MINUTE, found, not_found, on_both};

on_both!(
    nothing_is_seen_or_claimed_before_publish,
    what_is_abandoned_leaves_nothing,
    a_silent_load_is_swept_and_can_not_go_on,
    a_load_that_gives_signs_is_not_swept,
    rows_are_not_there_without_their_people,
    rows_whose_people_a_dying_server_lost_harm_no_person,
    a_key_makes_one_batch,
    a_key_with_other_content_is_refused,
    two_publishes_of_one_key_at_once_make_one_batch,
    an_empty_batch_is_finished,
    the_form_of_the_file_is_kept,
    erased_people_are_not_asked,
    after_an_abandoned_submit_the_same_counts_as_new,
    a_large_batch_is_known_to_the_planner_at_once,
);

async fn nothing_is_seen_or_claimed_before_publish(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    let loaded = b.load(&batch, &oceans(1..=3)).await;
    assert_eq!((loaded.rows, loaded.shared, loaded.new_people[&Ocean]), (3, 0, 3));
    b.check("loaded").await;
    assert!(b.claim(Ocean).await.is_empty());
    for view in ["batch_status", "batch_spend", "row_status"] {
        assert_eq!(b.database.number(&format!("SELECT COUNT(*) FROM {view}")).await, 0, "{view}");
    }
    b.publish(&batch).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 3);
}

async fn the_form_of_the_file_is_kept(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    let form = FileForm {
        separator: ';',
        byte_order_mark: true,
        line_end: LineEnd::CrLf,
        sheet: Some("Contacts".into()),
        ..FileForm::new(FileFormat::Xlsx)
    };
    b.store.batches().note_form(&batch, &form).await.unwrap();
    b.load(&batch, &oceans(1..=1)).await;
    b.publish(&batch).await;
    let published = b.store.reports().find_batch(&batch.batch_id.to_string()).await.unwrap();
    assert_eq!(b.store.reports().form(&published).await.unwrap(), Some(form));
}

async fn what_is_abandoned_leaves_nothing(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    b.load(&batch, &[ocean("o1").clodura("c1"), ocean("o2")]).await;
    b.store.batches().abandon(&batch).await.unwrap();
    b.check("abandoned").await;
    for table in
        ["batches", "batch_rows", "row_waterfall", "batch_totals", "reveals", "identity_links"]
    {
        assert_eq!(b.database.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_silent_load_is_swept_and_can_not_go_on(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    b.load(&batch, &oceans(1..=2)).await;
    b.advance(16 * MINUTE).await;
    assert_eq!(b.store.batches().sweep_abandoned_batches().await.unwrap(), 1);
    b.check("swept").await;
    let late = b.store.batches().load(&batch, rows(&oceans(3..=3))).await;
    assert!(matches!(late, Err(StoreError::Lost { .. })), "{late:?}");
    let late = b.store.batches().publish(&batch, None).await;
    assert!(matches!(late, Err(StoreError::Lost { .. })), "{late:?}");
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_load_that_gives_signs_is_not_swept(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    for n in 1..=4 {
        b.advance(10 * MINUTE).await;
        b.load_after(&batch, n.into(), &oceans(n..=n)).await;
        assert_eq!(b.store.batches().sweep_abandoned_batches().await.unwrap(), 0);
    }
    b.publish(&batch).await;
    b.advance(HOUR).await;
    assert_eq!(b.store.batches().sweep_abandoned_batches().await.unwrap(), 0);
    assert_eq!(b.claim_one(Ocean).await.people.len(), 4);
}

async fn rows_are_not_there_without_their_people(b: &Bench) {
    b.submit(&oceans(1..=1)).await;
    let batch = b.begin(Options::default()).await;
    // The next reveal id is already in use.
    b.database.run("UPDATE reveal_ids SET next = 1").await;
    b.store.batches().load(&batch, rows(&oceans(2..=300))).await.unwrap_err();
    assert_eq!(b.database.number("SELECT COUNT(*) FROM batch_rows").await, 1);
    b.database.run("UPDATE reveal_ids SET next = 2").await;
    b.load(&batch, &oceans(2..=300)).await;
    b.publish(&batch).await;
    b.check("loaded").await;
}

/// On Postgres a chunk's rows are committed just before their people, by another transaction.
async fn rows_whose_people_a_dying_server_lost_harm_no_person(b: &Bench) {
    let dead = b.begin(Options::default()).await;
    b.load(&dead, &oceans(1..=3)).await;
    let lost = "UPDATE batches SET total = 3; UPDATE batch_totals SET queued = 3;
                UPDATE unclaimed_ranges SET last = 3; UPDATE reveal_ids SET next = 4; DELETE FROM reveals WHERE id > 3";
    b.load_after(&dead, 3, &oceans(4..=6)).await;
    for statement in lost.split(';') {
        b.database.run(statement).await;
    }
    // Other people have these ids now.
    let alive = b.submit(&oceans(11..=13)).await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people, ["ocean:o11", "ocean:o12", "ocean:o13"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o11"), not_found("o12")]).await;
    b.advance(16 * MINUTE).await;
    assert_eq!(b.store.batches().sweep_abandoned_batches().await.unwrap(), 1);
    b.check("swept").await;
    b.webhook(&call, vec![found("o13")]).await;
    b.check("finished").await;
    assert_eq!(b.states(alive).await, ["found", "not_found", "found"]);
    let people = "SELECT COUNT(*) FROM reveals";
    assert_eq!(b.database.number(people).await, 3);
}

fn key(content: &str) -> Option<(String, String)> {
    Some(("nightly".to_owned(), content.to_owned()))
}

async fn a_key_makes_one_batch(b: &Bench) {
    let first = b.begin(Options::default()).await;
    b.load(&first, &oceans(1..=2)).await;
    assert_eq!(b.store.batches().publish(&first, key("a")).await.unwrap(), Published::Now);
    let again = b.begin(Options::default()).await;
    b.load(&again, &oceans(1..=2)).await;
    let published = b.store.batches().publish(&again, key("a")).await.unwrap();
    assert_eq!(published, Published::Before(first.batch_id));
    assert_eq!(b.database.number("SELECT COUNT(*) FROM batches").await, 1);
    let found = b.store.batches().idempotent_batch("nightly", "a").await.unwrap();
    assert_eq!(found, Some(first.batch_id));
    assert_eq!(b.store.batches().idempotent_batch("other", "a").await.unwrap(), None);
}

async fn a_key_with_other_content_is_refused(b: &Bench) {
    let first = b.begin(Options::default()).await;
    b.store.batches().publish(&first, key("a")).await.unwrap();
    let other = b.begin(Options::default()).await;
    let refused = b.store.batches().publish(&other, key("b")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

async fn two_publishes_of_one_key_at_once_make_one_batch(b: &Bench) {
    let other = b.another_store().await;
    let (one, two) = (b.begin(Options::default()).await, b.begin(Options::default()).await);
    b.load(&one, &oceans(1..=2)).await;
    b.load(&two, &oceans(1..=2)).await;
    let (a, z) = tokio::join!(
        b.store.batches().publish(&one, key("a")),
        other.batches().publish(&two, key("a"))
    );
    let now = [a.unwrap(), z.unwrap()];
    assert_eq!(now.iter().filter(|p| **p == Published::Now).count(), 1, "{now:?}");
    assert_eq!(b.database.number("SELECT COUNT(*) FROM batches").await, 1);
}

async fn an_empty_batch_is_finished(b: &Bench) {
    let batch = b.submit(&[]).await;
    let finished = format!("SELECT COUNT(*) FROM batches WHERE id = {batch} AND finished_at > 0");
    assert_eq!(b.database.number(&finished).await, 1);
}

async fn erased_people_are_not_asked(b: &Bench) {
    let batch = b.submit(&[ocean("o1").erased(), ocean("o2")]).await;
    let shown = b.shown(batch).await;
    assert_eq!((&*shown[0].state, shown[0].reason.as_deref()), ("cancelled", Some("erased")));
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2"]);
}

async fn after_an_abandoned_submit_the_same_counts_as_new(b: &Bench) {
    let people = [ocean("o1").clodura("c1"), ocean("o2")];
    let first = b.begin(Options::default()).await;
    let before = b.load(&first, &people).await;
    b.store.batches().abandon(&first).await.unwrap();
    let second = b.begin(Options::default()).await;
    let after = b.load(&second, &people).await;
    assert_eq!(before, after);
    assert_eq!(after.new_people[&Clodura], 1);
    b.publish(&second).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

async fn a_large_batch_is_known_to_the_planner_at_once(b: &Bench) {
    if !b.store.is_postgres() {
        return;
    }
    let sampled = "SELECT COUNT(*) FROM pg_stats
                   WHERE tablename IN ('reveals', 'batch_rows') AND attname IN ('ended_badly', 'ended')";
    b.submit(&oceans(1..=9)).await;
    assert_eq!(b.database.number(sampled).await, 0, "autovacuum looks after small ones");
    b.submit(&oceans(10..=10_009)).await;
    assert_eq!(b.database.number(sampled).await, 2);
}
