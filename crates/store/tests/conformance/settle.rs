//! Results, in any order and any number of times.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Finding, PersonResult};
use store::{Applied, ErasureTarget};

use crate::harness::people::{clodura, linkedin, ocean, oceans};
use crate::harness::{Bench, HOUR, MINUTE, delivery, found, found_for, not_found, on_both, result};

on_both!(
    five_hundred_in_one_delivery,
    each_gets_their_own_answer,
    twice_changes_nothing,
    before_the_answer_of_the_request,
    after_the_deadline,
    people_in_progress_go_on_waiting,
    a_better_answer_replaces_a_worse_one_only,
    people_who_were_not_asked_are_ignored,
    calls_that_never_were_are_noted,
    one_for_an_address_under_an_unknown_id,
    one_for_an_address_answers_its_twin_along,
    a_lack_of_credits_is_shared_with_no_person,
    a_lack_of_credits_closes_and_asks_again,
    an_old_lack_of_credits_asks_no_person_twice,
    two_charged_calls_count_both,
    a_number_after_not_found_is_charged,
    an_erased_person_is_thrown_away,
    several_deliveries_in_one_transaction,
    a_probe_answered_by_webhook_opens_the_gate,
);

async fn out(b: &Bench, last: u32) -> (i64, store::ClaimedCall) {
    let batch = b.submit(&oceans(1..=last)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    (batch, call)
}

async fn five_hundred_in_one_delivery(b: &Bench) {
    let (batch, call) = out(b, 500).await;
    let results = (1..=500).map(|n| {
        let id = format!("o{n}");
        if n % 3 == 0 { not_found(&id) } else { found(&id) }
    });
    assert_eq!(b.webhook(&call, results.collect()).await, Applied::Applied);
    assert_eq!((b.count(batch, "found").await, b.count(batch, "not_found").await), (334, 166));
}

/// People get their own answers, whether or not their ids are consecutive, and whatever the answers of other people are.
async fn each_gets_their_own_answer(b: &Bench) {
    let id = |n: u32| format!("o{n}");
    let mut people = oceans(1..=20);
    people.extend((21..=40).map(|n| ocean(&id(n)).clodura(&format!("c{n}"))));
    people.extend(oceans(41..=60));
    let batch = b.submit(&people).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let credits = |n: u32| i64::from(1 + n % 4);
    let answer = |n: u32| match n % 5 {
        0 => None,
        1 => Some(not_found(&id(n))),
        _ => Some(found_for(&id(n), Some(credits(n)))),
    };
    assert_eq!(b.webhook(&call, (1..=60).filter_map(answer).collect()).await, Applied::Applied);
    for (n, row) in (1..).zip(b.shown(batch).await) {
        let (state, phones, cost) = match n % 5 {
            0 => ("awaiting", None, 0),
            // The next provider in the waterfall is asked.
            1 if (21..=40).contains(&n) => ("queued", None, 0),
            1 => ("not_found", None, 0),
            _ => ("found", Some(format!("+45 o{n}")), credits(n)),
        };
        assert_eq!((&*row.state, row.phones, row.credits), (state, phones, cost), "row {n}");
    }
    let left: Vec<_> = (1..=60).filter(|n| n % 5 == 0).map(|n| found(&id(n))).collect();
    assert_eq!(b.webhook(&call, left).await, Applied::Applied);
    assert_eq!((b.count(batch, "found").await, b.count(batch, "not_found").await), (48, 8));
}

async fn twice_changes_nothing(b: &Bench) {
    let (batch, call) = out(b, 2).await;
    for applied in [Applied::Applied, Applied::Duplicate, Applied::Duplicate] {
        assert_eq!(b.webhook(&call, vec![found("o1"), not_found("o2")]).await, applied);
        b.check("delivered").await;
        assert_eq!(b.states(batch).await, ["found", "not_found"]);
    }
}

async fn before_the_answer_of_the_request(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(b.webhook(&call, vec![found("o1")]).await, Applied::Applied);
    b.check("one is answered").await;
    assert_eq!(b.states(batch).await, ["found", "sending"]);
    b.accept(&call).await;
    assert_eq!(b.states(batch).await, ["found", "awaiting"]);
    b.webhook(&call, vec![not_found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found", "not_found"]);
}

async fn after_the_deadline(b: &Bench) {
    let (batch, call) = out(b, 3).await;
    b.advance(24 * HOUR).await;
    assert_eq!(b.store.sweep_overdue(&b.policy).await.unwrap().expired, 1);
    b.check("expired").await;
    assert_eq!(b.states(batch).await, ["expired"; 3]);
    let off = "SELECT written_off / 1000 FROM batch_totals WHERE provider = 'ocean'";
    assert_eq!(b.database.number(off).await, 3);
    assert_eq!(b.webhook(&call, vec![found("o1"), not_found("o2")]).await, Applied::Late);
    b.check("late").await;
    assert_eq!(b.states(batch).await, ["found", "not_found", "expired"]);
    assert_eq!(b.database.number(off).await, 1);
}

async fn people_in_progress_go_on_waiting(b: &Bench) {
    let (batch, call) = out(b, 2).await;
    b.webhook(&call, vec![found("o1"), result("o2", Finding::InProgress)]).await;
    assert_eq!(b.states(batch).await, ["found", "awaiting"]);
    b.advance(24 * HOUR).await;
    b.store.sweep_overdue(&b.policy).await.unwrap();
    assert_eq!(b.states(batch).await, ["found", "expired"]);
}

async fn a_better_answer_replaces_a_worse_one_only(b: &Bench) {
    let (batch, call) = out(b, 2).await;
    b.webhook(&call, vec![not_found("o1"), found("o2")]).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    assert_eq!(b.states(batch).await, ["found", "found"]);
    let shown = b.shown(batch).await;
    assert_eq!(shown[0].phones.as_deref(), Some("+45 o1"));
    b.webhook(&call, vec![result("o1", Finding::InProgress), not_found("o2")]).await;
    assert_eq!(b.shown(batch).await, shown);
}

async fn people_who_were_not_asked_are_ignored(b: &Bench) {
    let (batch, call) = out(b, 2).await;
    assert_eq!(b.webhook(&call, vec![found("unknown")]).await, Applied::UnknownPerson);
    let both = vec![found("unknown"), found("o2")];
    assert_eq!(b.webhook(&call, both).await, Applied::Applied);
    assert_eq!(b.states(batch).await, ["awaiting", "found"]);
    let unnamed = PersonResult { person_id: None, finding: Finding::NotFound, remark: None };
    assert_eq!(b.webhook(&call, vec![unnamed]).await, Applied::UnknownPerson);
}

async fn calls_that_never_were_are_noted(b: &Bench) {
    let call_id = jobs::CallId::generate().to_string();
    let applied = b.webhook_to(Ocean, &call_id, vec![found("o1")]).await;
    assert_eq!(applied, Applied::UnknownCall);
    let log = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'unknown_call'";
    assert_eq!(b.database.number(log).await, 1);
}

async fn asked_by_address(b: &Bench) -> (i64, store::ClaimedCall) {
    let batch = b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    (batch, call)
}

async fn one_for_an_address_under_an_unknown_id(b: &Bench) {
    let (batch, call) = asked_by_address(b).await;
    b.webhook(&call, vec![found("9000")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
    let later = b.submit(&[clodura("9000")]).await;
    assert_eq!(b.states(later).await, ["found"]);
}

async fn one_for_an_address_answers_its_twin_along(b: &Bench) {
    let (batch, call) = asked_by_address(b).await;
    let twin = b.submit(&[clodura("9000"), clodura("9001")]).await;
    b.webhook(&call, vec![found("9000")]).await;
    b.check("answered along").await;
    assert_eq!(b.states(batch).await, ["found"]);
    assert_eq!(b.states(twin).await, ["found", "queued"]);
    assert_eq!(b.shown(twin).await[0].credits, 0);
    assert_eq!(b.claim_one(Clodura).await.people, ["clodura:9001"]);
}

async fn a_lack_of_credits_is_shared_with_no_person(b: &Bench) {
    let (batch, call) = asked_by_address(b).await;
    let twin = b.submit(&[ocean("o1").clodura("9000")]).await;
    b.webhook(&call, vec![result("9000", Finding::OutOfCredits)]).await;
    b.check("out of credits").await;
    assert_eq!(
        (b.states(batch).await[0].as_str(), b.states(twin).await[0].as_str()),
        ("held", "queued")
    );
    let later = b.submit(&[clodura("9000")]).await;
    b.check("submitted again").await;
    assert_eq!(b.states(later).await, ["held"]);
}

async fn a_lack_of_credits_closes_and_asks_again(b: &Bench) {
    let batch = b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![result("c1", Finding::OutOfCredits)]).await;
    b.check("out of credits").await;
    assert_eq!(b.states(batch).await, ["held"]);
    b.database.run("UPDATE provider_gates SET state = 'open', reason = NULL").await;
    let duplicate = b.webhook(&call, vec![result("c1", Finding::OutOfCredits)]).await;
    assert_eq!(duplicate, Applied::Duplicate);
    let again = b.claim_one(Clodura).await;
    assert_eq!(again.people, ["clodura:c1"]);
}

/// A call of unknown outcome that is sent again.
async fn repeated(
    b: &Bench,
    people: &[crate::harness::people::Who],
) -> (i64, [store::ClaimedCall; 2]) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    let batch = b.submit(people).await;
    let first = b.claim_one(Clodura).await;
    b.unknown(&first).await;
    b.advance(HOUR).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 1);
    b.check("to be sent again").await;
    let second = b.claim_one(Clodura).await;
    b.accept(&second).await;
    (batch, [first, second])
}

async fn an_old_lack_of_credits_asks_no_person_twice(b: &Bench) {
    let (batch, [first, second]) = repeated(b, &[clodura("c1")]).await;
    b.webhook(&first, vec![result("c1", Finding::OutOfCredits)]).await;
    b.check("the first says so").await;
    b.database.run("UPDATE provider_gates SET state = 'open', reason = NULL").await;
    assert!(b.claim(Clodura).await.is_empty());
    b.webhook(&second, vec![found("c1")]).await;
    assert_eq!(b.states(batch).await, ["found"]);
}

async fn two_charged_calls_count_both(b: &Bench) {
    let (batch, [first, second]) = repeated(b, &[clodura("c1")]).await;
    b.webhook(&second, vec![found("c1")]).await;
    b.check("the second first").await;
    assert_eq!(b.webhook(&first, vec![found("c1")]).await, Applied::Late);
    assert_eq!(b.shown(batch).await[0].credits, 2);
    let log = "SELECT COUNT(*) FROM call_log WHERE repeat_of IS NOT NULL";
    assert_eq!(b.database.number(log).await, 1);
}

async fn a_number_after_not_found_is_charged(b: &Bench) {
    let (batch, call) = out(b, 1).await;
    b.webhook(&call, vec![not_found("o1")]).await;
    b.webhook(&call, vec![found("o1")]).await;
    b.check("found after all").await;
    assert_eq!(b.shown(batch).await[0].credits, 1);
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.shown(batch).await[0].credits, 1);
}

async fn an_erased_person_is_thrown_away(b: &Bench) {
    let (batch, call) = out(b, 2).await;
    let target = ErasureTarget::Identifiers(["ocean:o1".to_owned()].into());
    for person in b.store.privacy().identify(&target).await.unwrap() {
        b.store.privacy().erase(&person).await.unwrap();
    }
    b.check("erased").await;
    assert_eq!(b.webhook(&call, vec![found("o1")]).await, Applied::Erased);
    b.check("the erased one came").await;
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    assert_eq!(b.states(batch).await, ["cancelled", "found"]);
    assert_eq!(b.database.number("SELECT COUNT(*) FROM phones").await, 1);
    assert_eq!(b.database.number("SELECT COUNT(*) FROM calls WHERE state = 'done'").await, 1);
}

async fn several_deliveries_in_one_transaction(b: &Bench) {
    let batch = b.submit(&[ocean("o1"), clodura("c1"), ocean("o2")]).await;
    let (one, two) = (b.claim_one(Ocean).await, b.claim_one(Clodura).await);
    b.accept(&one).await;
    let deliveries = [
        (&one, vec![found("o1")]),
        (&two, vec![found("c1")]),
        (&one, vec![found("o1"), not_found("o2")]),
        (&two, vec![found("c1")]),
    ]
    .map(|(call, results)| delivery(call, results));
    let applied = b.store.results().settle(deliveries.to_vec(), &b.policy).await.unwrap();
    assert_eq!(applied, [Applied::Applied, Applied::Applied, Applied::Applied, Applied::Duplicate]);
    assert_eq!(b.states(batch).await, ["found", "found", "not_found"]);
}

async fn a_probe_answered_by_webhook_opens_the_gate(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, jobs::outcome::Refusal::CreditsPending).await;
    b.advance(MINUTE).await;
    let probe = b.claim_one(Ocean).await;
    b.webhook(&probe, vec![found("o1")]).await;
    b.check("the probe is answered, its request is not").await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}
