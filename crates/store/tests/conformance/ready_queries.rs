//! The views behind `scripts/status`: they are correct without a scan of all rows.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::Finding;

use crate::harness::people::{Options, clodura, ocean, oceans};
use crate::harness::{Bench, HOUR, MINUTE, found, not_found, on_both, result};

on_both!(
    people_count_once_for_the_hit_rate,
    second_thoughts_count_for_the_hit_rate,
    stuck_rows_name_reason_and_first_row,
    rows_in_the_line_of_another_batch_are_found,
    results_that_are_out_for_an_hour_are_stuck,
    the_oldest_wait_comes_first,
    the_newest_calls_are_logged_last,
);

type Results = (String, i64, i64, i64);

async fn results(b: &Bench) -> Vec<Results> {
    let sql = "SELECT provider, found, not_found, without_answer FROM provider_results ORDER BY 1";
    b.database.all(sql).await
}

fn of(provider: &str, found: i64, not_found: i64, without_answer: i64) -> Results {
    (provider.to_owned(), found, not_found, without_answer)
}

async fn people_count_once_for_the_hit_rate(b: &Bench) {
    b.submit(&[ocean("o1"), ocean("o2"), ocean("o3"), ocean("o1"), ocean("bad")]).await;
    assert_eq!(results(b).await, [], "nobody was asked yet");
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[3]).await;
    b.submit(&[ocean("o1"), clodura("c1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    assert_eq!(results(b).await, [of("ocean", 0, 0, 3)]);
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    assert_eq!(results(b).await, [of("ocean", 1, 1, 1)]);
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![result("c1", Finding::OutOfCredits)]).await;
    assert_eq!(results(b).await, [of("ocean", 1, 1, 1)], "c1 was not asked for after all");
}

async fn second_thoughts_count_for_the_hit_rate(b: &Bench) {
    b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1"), not_found("o2")]).await;
    assert_eq!(results(b).await, [of("ocean", 0, 2, 0)]);
    b.second_thoughts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(results(b).await, [of("ocean", 1, 1, 0)]);
}

type Stuck = (String, Option<String>, i64, i64);

/// State, reason, number of rows and first row of each group of stuck rows in a batch.
async fn stuck(b: &Bench, batch: i64) -> Vec<Stuck> {
    let sql = format!(
        "SELECT state, reason, row_count, first_row FROM stuck_rows
         WHERE batch_id = (SELECT batch_id FROM batches WHERE id = {batch}) ORDER BY 1, 2"
    );
    b.database.all(&sql).await
}

fn group(state: &str, reason: &str, rows: i64, first: i64) -> Stuck {
    (state.to_owned(), Some(reason.to_owned()), rows, first)
}

async fn stuck_rows_name_reason_and_first_row(b: &Bench) {
    let batch = b.submit_with(&oceans(1..=9), Options::ceiling(Ocean, 5)).await;
    assert_eq!(stuck(b, batch).await, []);
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[1, 3]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.claim(Ocean).await;
    let failed = group("failed", "refused: no such id", 2, 2);
    assert_eq!(stuck(b, batch).await, [failed.clone(), group("held", "batch_ceiling", 2, 8)]);
    b.advance(25 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    let expired = group("expired", "no_result", 5, 1);
    assert_eq!(stuck(b, batch).await, [expired, failed, group("held", "batch_ceiling", 2, 8)]);
}

async fn rows_in_the_line_of_another_batch_are_found(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    let batch = b.submit(&[ocean("o3"), ocean("o2")]).await;
    b.store.gates().pause(Ocean).await.unwrap();
    assert_eq!(stuck(b, batch).await, [group("held", "paused", 2, 1)]);
}

async fn results_that_are_out_for_an_hour_are_stuck(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(stuck(b, batch).await, []);
    b.database.run("UPDATE calls SET sent_at = 0").await;
    let waiting = group("awaiting", "no result for more than an hour", 2, 2);
    assert_eq!(stuck(b, batch).await, [waiting]);
}

async fn the_oldest_wait_comes_first(b: &Bench) {
    let waiting = || async {
        let sql = "SELECT person, state FROM longest_waiting ORDER BY waiting_seconds DESC, batch_id, row_number";
        b.database.all::<(String, String)>(sql).await
    };
    let row = |person: &str, state: &str| (person.to_owned(), state.to_owned());
    b.submit(&[ocean("o1"), ocean("o2")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.advance(MINUTE).await;
    b.submit(&[clodura("c1")]).await;
    let sending = b.claim_one(Clodura).await;
    b.advance(MINUTE).await;
    b.submit(&oceans(3..=40)).await;
    let found_so_far = waiting().await;
    assert_eq!(found_so_far.len(), 20);
    assert_eq!(
        found_so_far[..4],
        [row("o1", "awaiting"), row("o2", "awaiting"), row("c1", "sending"), row("o3", "queued")]
    );
    b.accept(&sending).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    assert_eq!(waiting().await[0], row("c1", "awaiting"));
}

async fn the_newest_calls_are_logged_last(b: &Bench) {
    b.submit(&[ocean("o1"), clodura("c1")]).await;
    b.accept(&b.claim_one(Ocean).await).await;
    b.accept(&b.claim_one(Clodura).await).await;
    let log = |view| format!("SELECT call_id, kind, outcome FROM {view} ORDER BY sent_at, call_id");
    let recent: Vec<(String, String, String)> = b.database.all(&log("recent_calls")).await;
    assert_eq!(recent, b.database.all(&log("call_log")).await);
    assert_eq!(recent.len(), 2);
}
