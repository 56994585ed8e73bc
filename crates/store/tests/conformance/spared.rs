//! No person is paid for twice because an answer came late, under another id, or after the provider changed its answer.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Finding, Refusal};
use store::{ClaimedCall, RetryStates};

use crate::harness::people::{Options, clodura, linkedin, ocean, oceans};
use crate::harness::{Bench, HOUR, SECOND, delivery, found, found_for, not_found, on_both, result};

on_both!(
    a_late_answer_ends_a_repeat_that_was_put_off,
    a_late_answer_to_a_failed_person_ends_the_next_attempt,
    a_second_thought_ends_a_refresh,
    a_response_takes_a_repeat_back,
    a_webhook_for_some_takes_the_others_back,
    a_repeat_that_was_refused_is_taken_back,
    who_is_in_the_repeat_already_stays_there,
    who_comes_back_from_the_repeat_waits_for_the_first_request,
    a_late_answer_counts_for_a_request_that_is_out,
    a_late_answer_counts_for_a_request_that_came_to_less,
    a_late_answer_and_a_newer_one_come_together,
    who_comes_back_from_the_repeat_waits_for_a_request_that_was_answered_in_part,
    a_repeat_of_unknown_outcome_gives_way_to_the_first_request,
    a_repeat_of_a_repeat_is_taken_back,
    a_request_that_was_answered_in_part_is_not_repeated,
    no_credits_and_then_the_number,
    no_credits_and_the_number_at_once,
    an_alias_that_is_only_named_is_not_asked,
    an_answer_under_another_id_spares_a_later_step,
);

const ALL: RetryStates = RetryStates { failed: true, expired: true, cancelled: true };

async fn open_gates(b: &Bench) {
    b.database
        .run("UPDATE provider_gates SET state = 'open', reason = NULL, closed_until = NULL")
        .await;
}

async fn a_late_answer_ends_a_repeat_that_was_put_off(b: &Bench) {
    let batch = b.submit(&[ocean("o1")]).await;
    let first = b.claim_one(Ocean).await;
    b.accept(&first).await;
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    b.store.batches().retry(&b.batch_ref(batch).await, ALL).await.unwrap();
    let again = b.claim_one(Ocean).await;
    b.refuse(&again, 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    b.webhook(&first, vec![found("o1")]).await;
    b.check("answered late").await;
    assert_eq!(b.states(batch).await, ["found"]);
    open_gates(b).await;
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_late_answer_to_a_failed_person_ends_the_next_attempt(b: &Bench) {
    let batch = b.submit(&[ocean("o1")]).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[0]).await;
    assert_eq!(b.states(batch).await, ["failed"]);
    let later = b.submit(&[ocean("o1")]).await;
    b.webhook(&call, vec![found("o1")]).await;
    b.check("taken after all").await;
    assert_eq!(
        (b.states(batch).await, b.states(later).await),
        (vec!["found".into()], vec!["found".into()])
    );
    open_gates(b).await;
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_second_thought_ends_a_refresh(b: &Bench) {
    b.submit(&[ocean("o1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    b.advance(HOUR).await;
    let refresh = b.submit_with(&[ocean("o1")], Options::refresh(b.store.now())).await;
    assert_eq!(b.states(refresh).await, ["queued"]);
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(refresh).await, ["found"]);
    assert!(b.claim(Ocean).await.is_empty());
}

/// A call of unknown outcome, whose people will be asked for again.
async fn to_be_repeated(b: &Bench, people: u32) -> (i64, ClaimedCall) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    let batch = b.submit(&oceans(1..=people)).await;
    let call = b.claim_one(Ocean).await;
    b.unknown(&call).await;
    b.advance(HOUR).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 1);
    b.check("to be sent again").await;
    (batch, call)
}

async fn a_response_takes_a_repeat_back(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 2).await;
    b.accept(&call).await;
    b.check("taken after all").await;
    assert_eq!(b.states(batch).await, ["awaiting"; 2]);
    assert!(b.claim(Ocean).await.is_empty());
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found", "not_found"]);
}

async fn a_webhook_for_some_takes_the_others_back(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 3).await;
    b.webhook(&call, vec![found("o1"), result("o2", Finding::InProgress)]).await;
    b.check("taken after all").await;
    assert_eq!(b.states(batch).await, ["found", "awaiting", "awaiting"]);
    assert!(b.claim(Ocean).await.is_empty());
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["found", "expired", "expired"]);
}

async fn a_repeat_that_was_refused_is_taken_back(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 1).await;
    let again = b.claim_one(Ocean).await;
    b.refuse(&again, 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    b.webhook(&call, vec![result("o1", Finding::InProgress)]).await;
    b.check("taken after all").await;
    open_gates(b).await;
    assert_eq!(b.states(batch).await, ["awaiting"]);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn who_is_in_the_repeat_already_stays_there(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 2).await;
    let again =
        b.claim_as(store::ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) }).await.remove(0);
    b.accept(&call).await;
    b.accept(&again).await;
    b.check("both were taken").await;
    assert_eq!(b.states(batch).await, ["awaiting"; 2]);
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found"; 2]);
}

async fn who_comes_back_from_the_repeat_waits_for_the_first_request(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 3).await;
    let alone = store::ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) };
    let again = b.claim_as(alone.clone()).await.remove(0);
    let unsent = b.claim_as(alone).await.remove(0);
    b.accept(&call).await;
    b.refuse(&again, 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    b.store.calls().give_back(unsent, "asleep".into()).await.unwrap();
    b.check("taken after all").await;
    open_gates(b).await;
    assert_eq!(b.states(batch).await, ["awaiting"; 3]);
    assert!(b.claim(Ocean).await.is_empty());
    b.webhook(&call, vec![found("o1"), found("o2"), found("o3")]).await;
    b.check("answered").await;
    assert_eq!(b.states(batch).await, ["found"; 3]);
}

/// A person who expired, was asked for again, and is in the second call: batch, first call, second call.
async fn asked_again(b: &Bench) -> (i64, ClaimedCall, ClaimedCall) {
    let batch = b.submit(&[ocean("o1")]).await;
    let first = b.claim_one(Ocean).await;
    b.accept(&first).await;
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    b.store.batches().retry(&b.batch_ref(batch).await, ALL).await.unwrap();
    (batch, first, b.claim_one(Ocean).await)
}

async fn a_late_answer_counts_for_a_request_that_is_out(b: &Bench) {
    let (batch, first, again) = asked_again(b).await;
    b.webhook(&first, vec![found("o1")]).await;
    b.check("answered late").await;
    assert_eq!(b.states(batch).await, ["found"]);
    b.refuse(&again, 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    b.check("refused").await;
    open_gates(b).await;
    assert!(b.claim(Ocean).await.is_empty(), "the number is there");
    assert_eq!(b.shown(batch).await[0].phones.as_deref(), Some("+45 o1"));
    assert_eq!(spent(b).await[0], 1);
}

async fn a_late_answer_counts_for_a_request_that_came_to_less(b: &Bench) {
    let (batch, first, again) = asked_again(b).await;
    b.accept(&again).await;
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["expired"]);
    b.webhook(&first, vec![found("o1")]).await;
    b.check("answered late").await;
    assert_eq!(b.states(batch).await, ["found"]);
    b.webhook(&again, vec![not_found("o1")]).await;
    b.check("the second one has less").await;
    let shown = b.shown(batch).await.remove(0);
    assert_eq!((&*shown.state, shown.phones.as_deref()), ("found", Some("+45 o1")));
}

async fn a_late_answer_and_a_newer_one_come_together(b: &Bench) {
    let (batch, first, again) = asked_again(b).await;
    b.accept(&again).await;
    let both = vec![delivery(&first, [found("o1")]), delivery(&again, [not_found("o1")])];
    b.store.results().settle(both, &b.policy).await.unwrap();
    b.check("answered").await;
    let shown = b.shown(batch).await.remove(0);
    assert_eq!((&*shown.state, shown.phones.as_deref()), ("found", Some("+45 o1")));
}

async fn who_comes_back_from_the_repeat_waits_for_a_request_that_was_answered_in_part(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 2).await;
    let again = b.claim_one(Ocean).await;
    b.webhook(&call, vec![not_found("o2")]).await;
    b.check("taken after all").await;
    b.store.calls().give_back(again, "asleep".into()).await.unwrap();
    b.check("back from the repeat").await;
    assert_eq!(b.states(batch).await, ["awaiting", "not_found"]);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn repeat(b: &Bench) -> usize {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    b.advance(HOUR).await;
    let swept = b.store.sweep_overdue(&policy).await.unwrap();
    b.check("swept").await;
    swept.repeated
}

async fn a_repeat_of_unknown_outcome_gives_way_to_the_first_request(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 1).await;
    open_gates(b).await;
    let again = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.unknown(&again).await;
    assert_eq!(repeat(b).await, 1);
    open_gates(b).await;
    assert_eq!(b.states(batch).await, ["awaiting"]);
    assert!(b.claim(Ocean).await.is_empty());
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn a_repeat_of_a_repeat_is_taken_back(b: &Bench) {
    let (batch, call) = to_be_repeated(b, 1).await;
    b.unknown(&b.claim_one(Ocean).await).await;
    assert_eq!(repeat(b).await, 1);
    assert_eq!(b.states(batch).await, ["queued"]);
    b.accept(&call).await;
    b.check("the first was taken").await;
    assert_eq!(b.states(batch).await, ["awaiting"]);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn a_request_that_was_answered_in_part_is_not_repeated(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    b.unknown(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(repeat(b).await, 0);
    assert_eq!(b.states(batch).await, ["found", "awaiting"]);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn spent(b: &Bench) -> [i64; 3] {
    let mut sums = [0; 3];
    for (sum, column) in sums.iter_mut().zip(["credits_spent", "people_asked", "found"]) {
        *sum = b
            .database
            .number(&format!("SELECT CAST(SUM({column}) AS BIGINT) FROM batch_spend"))
            .await;
    }
    sums
}

async fn out_of_credits(b: &Bench) -> (i64, ClaimedCall) {
    let batch = b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    (batch, call)
}

async fn no_credits_and_then_the_number(b: &Bench) {
    let (batch, call) = out_of_credits(b).await;
    b.webhook(&call, vec![result("c1", Finding::OutOfCredits)]).await;
    assert_eq!(spent(b).await, [0, 0, 0]);
    b.webhook(&call, vec![found_for("c1", None)]).await;
    b.check("a number all the same").await;
    assert_eq!((b.states(batch).await, spent(b).await), (vec!["found".into()], [1, 1, 1]));
    assert_eq!(b.shown(batch).await[0].credits, 1);
    open_gates(b).await;
    assert!(b.claim(Clodura).await.is_empty());
}

async fn no_credits_and_the_number_at_once(b: &Bench) {
    let (batch, call) = out_of_credits(b).await;
    let refused = delivery(&call, [result("c1", Finding::OutOfCredits)]);
    let both = vec![refused, delivery(&call, [found_for("c1", None)])];
    b.store.results().settle(both, &b.policy).await.unwrap();
    b.check("a number all the same").await;
    assert_eq!((b.states(batch).await, spent(b).await), (vec!["found".into()], [1, 1, 1]));
}

async fn an_alias_that_is_only_named_is_not_asked(b: &Bench) {
    b.submit(&[linkedin("ada")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    let twin = b.submit(&[clodura("9000")]).await;
    b.webhook(&call, vec![result("9000", Finding::InProgress)]).await;
    b.check("named").await;
    assert_eq!(b.states(twin).await, ["awaiting"]);
    assert!(b.claim(Clodura).await.is_empty());
    b.webhook(&call, vec![found("9000")]).await;
    assert_eq!(b.states(twin).await, ["found"]);
    assert_eq!(spent(b).await, [1, 1, 1]);
}

async fn an_answer_under_another_id_spares_a_later_step(b: &Bench) {
    b.submit(&[linkedin("ada")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    let batch = b.submit(&[ocean("o1").clodura("9000")]).await;
    b.webhook(&call, vec![found("9000")]).await;
    b.check("found at the later step").await;
    assert_eq!(b.states(batch).await, ["found"]);
    assert!(b.claim(Ocean).await.is_empty() && b.claim(Clodura).await.is_empty());
}
