//! Which batch pays, and up to which limit: ceilings and the account.

use std::sync::Arc;

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Balance, Finding, Refusal};
use jobs::{Credits, PerPerson, Tariff};
use store::ClaimReveals;
use tokio::sync::Barrier;

use crate::harness::people::{Options, clodura, oceans};
use crate::harness::{Bench, SECOND, found, found_for, not_found, on_both, result};

on_both!(
    a_ceiling_is_never_passed,
    a_ceiling_is_never_passed_by_workers_at_once,
    what_is_released_is_used_again,
    a_shared_person_is_paid_by_a_batch_with_room,
    a_shared_person_of_a_cancelled_batch_goes_on,
    a_late_sharer_takes_people_over_from_a_batch_at_its_ceiling,
    a_retrying_person_is_taken_over_too,
    isolated_groups_that_can_t_be_paid_hold_up_no_person,
    no_more_than_the_account_holds,
    several_numbers_may_pass_a_reservation,
    fractions_are_shown_as_plain_numbers,
    clodura_costs_twenty_unless_direct_dials_are_counted,
);

async fn a_ceiling_is_never_passed(b: &Bench) {
    let batch = b.submit_with(&oceans(1..=10), Options::ceiling(Ocean, 4)).await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people.len(), 4);
    assert!(b.claim(Ocean).await.is_empty());
    b.check("at its ceiling").await;
    let shown = b.shown(batch).await;
    assert_eq!((&*shown[9].state, shown[9].reason.as_deref()), ("held", Some("batch_ceiling")));
    b.accept(&call).await;
    b.webhook(&call, (1..=4).map(|n| found(&format!("o{n}"))).collect()).await;
    assert!(b.claim(Ocean).await.is_empty());
    assert_eq!(b.count(batch, "held").await, 6);
}

async fn a_ceiling_is_never_passed_by_workers_at_once(b: &Bench) {
    b.submit_with(&oceans(1..=60), Options::ceiling(Ocean, 23)).await;
    b.submit_with(&oceans(40..=90), Options::ceiling(Ocean, 17)).await;
    let barrier = Arc::new(Barrier::new(6));
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let (store, barrier) = (b.another_store().await, barrier.clone());
        let ask = ClaimReveals { people: 3, calls: 2, ..b.ask(Ocean) };
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            let mut claimed = 0;
            for _ in 0..6 {
                let claims = store.calls().claim_reveals(ask.clone()).await.unwrap();
                claimed += claims.calls.iter().map(|call| call.people.len()).sum::<usize>();
            }
            claimed
        }));
    }
    let mut claimed = 0;
    for task in tasks {
        claimed += task.await.unwrap();
    }
    assert_eq!(claimed, 40);
}

async fn what_is_released_is_used_again(b: &Bench) {
    let batch = b.submit_with(&oceans(1..=6), Options::ceiling(Ocean, 2)).await;
    let call = b.claim_one(Ocean).await;
    assert!(b.claim(Ocean).await.is_empty());
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    b.check("one came free").await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people.len(), 1);
    assert!(b.claim(Ocean).await.is_empty());
    b.refuse(&call, 429, Refusal::RateLimited { retry_after: Some(SECOND) }).await;
    b.check("refused").await;
    b.advance(SECOND).await;
    assert_eq!(b.claim_one(Ocean).await.people, call.people);
    assert_eq!(b.count(batch, "sending").await, 1);
}

async fn a_shared_person_is_paid_by_a_batch_with_room(b: &Bench) {
    b.submit_with(&oceans(1..=5), Options::ceiling(Ocean, 2)).await;
    b.submit(&oceans(4..=5)).await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        for call in b.claim(Ocean).await {
            asked.extend(call.people.clone());
            b.accept(&call).await;
        }
        b.check("claimed").await;
    }
    assert_eq!(asked, ["ocean:o1", "ocean:o2", "ocean:o4", "ocean:o5"]);
    let payers = "SELECT COUNT(DISTINCT payer) FROM call_reveals";
    assert_eq!(b.database.number(payers).await, 2);
}

async fn a_shared_person_of_a_cancelled_batch_goes_on(b: &Bench) {
    let first = b.submit(&oceans(1..=3)).await;
    let second = b.submit(&oceans(3..=4)).await;
    b.cancel(first).await;
    b.check("cancelled").await;
    assert_eq!(b.states(first).await, ["cancelled"; 3]);
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people, ["ocean:o3", "ocean:o4"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o3"), not_found("o4")]).await;
    assert_eq!(b.states(second).await, ["found", "not_found"]);
}

async fn a_late_sharer_takes_people_over_from_a_batch_at_its_ceiling(b: &Bench) {
    b.submit_with(&oceans(1..=3), Options::ceiling(Ocean, 1)).await;
    b.claim_one(Ocean).await;
    assert!(b.claim(Ocean).await.is_empty());
    b.submit(&oceans(3..=3)).await;
    b.check("taken over").await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o3"]);
}

async fn a_retrying_person_is_taken_over_too(b: &Bench) {
    b.submit_with(&oceans(1..=3), Options::ceiling(Ocean, 1)).await;
    b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    let refusal = Refusal::Unavailable { message: "no route".into(), retry_after: None };
    b.refuse(&call, 503, refusal).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2"]);
    assert!(b.claim(Ocean).await.is_empty());
    b.check("the first is at its ceiling").await;
    b.advance(b.policy.retry_base).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
}

async fn read_balance(b: &Bench, provider: jobs::Provider, credits: i64, tariff: Option<Tariff>) {
    b.database.run("UPDATE provider_gates SET balance_due_at = 0").await;
    let (claimed, _) = b.store.gates().claim_balance(provider, 1e6).await.unwrap();
    let balance = Balance { credits: Credits::whole(credits), tariff, daily: None };
    let price =
        if provider == Ocean { PerPerson::Fixed(Credits::whole(1)) } else { PerPerson::Auto };
    b.store
        .gates()
        .record_balance(claimed.unwrap(), Ok(balance), Some(200), price, &b.policy)
        .await
        .unwrap();
}

async fn isolated_groups_that_can_t_be_paid_hold_up_no_person(b: &Bench) {
    let poor = b.submit(&oceans(1..=8)).await;
    b.refuse_request(&b.claim_one(Ocean).await).await;
    let poor = b.batch_ref(poor).await;
    b.store
        .batches()
        .set_ceilings(&poor, &[(Ocean, Some(Credits::whole(0)))].into())
        .await
        .unwrap();
    b.submit(&oceans(11..=18)).await;
    b.refuse_request(&b.claim_one(Ocean).await).await;
    let one = ClaimReveals { calls: 1, ..b.ask(Ocean) };
    for half in [["ocean:o11", "ocean:o14"], ["ocean:o15", "ocean:o18"]] {
        b.store
            .batches()
            .set_ceilings(&poor, &[(Ocean, Some(Credits::whole(0)))].into())
            .await
            .unwrap();
        let call = b.claim_as(one.clone()).await.pop().expect("those who can be paid for");
        assert_eq!([&*call.people[0], &*call.people[3]], half);
        b.check("a half is out").await;
    }
    assert!(b.claim_as(one.clone()).await.is_empty());
    b.store
        .batches()
        .set_ceilings(&poor, &[(Ocean, Some(Credits::whole(8)))].into())
        .await
        .unwrap();
    assert_eq!(b.claim(Ocean).await.len(), 2);
}

async fn no_more_than_the_account_holds(b: &Bench) {
    b.submit(&oceans(1..=10)).await;
    read_balance(b, Ocean, 6, None).await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people.len(), 6);
    assert!(b.claim(Ocean).await.is_empty());
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2"), not_found("o3")]).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
    let (due, at) = b.store.gates().claim_balance(Ocean, 1e6).await.unwrap();
    assert!(due.is_some() || at.is_some(), "too little for the next: the account is asked");
}

async fn several_numbers_may_pass_a_reservation(b: &Bench) {
    let batch = b.submit(&oceans(1..=1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found_for("o1", Some(3))]).await;
    assert_eq!(b.shown(batch).await[0].credits, 3);
    let spent = "SELECT CAST(credits_spent AS BIGINT) FROM batch_spend WHERE provider = 'ocean'";
    assert_eq!(b.database.number(spent).await, 3);
}

async fn fractions_are_shown_as_plain_numbers(b: &Bench) {
    let ceiling = Credits::from_thousandths(4_368_800);
    let options = Options { max_credits: [(Ocean, ceiling)].into(), ..Options::default() };
    let batch = b.submit_with(&oceans(1..=2), options).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let found = ["0.05", "9.95"]
        .map(|credits| Finding::Found { phones: Vec::new(), credits: credits.parse().ok() });
    let results = found.into_iter().zip(["o1", "o2"]).map(|(finding, id)| result(id, finding));
    b.webhook(&call, results.collect()).await;
    let rows = "SELECT CAST(credits AS TEXT) FROM row_status ORDER BY row_number";
    assert_eq!(b.database.all::<(String,)>(rows).await, [("0.05".into(),), ("9.95".into(),)]);
    let spend = "SELECT CAST(credits_spent AS TEXT), CAST(max_credits AS TEXT) FROM batch_spend";
    let shown: (String, String) = b.database.one(spend).await;
    assert_eq!(shown, ("10".to_owned(), "4368.8".to_owned()));
    let status = b.store.reports().batch_status(Some(&b.batch_ref(batch).await)).await.unwrap();
    assert_eq!(status[0].credits_spent, Credits::whole(10));
}

async fn clodura_costs_twenty_unless_direct_dials_are_counted(b: &Bench) {
    b.submit(&["1", "2", "3", "4"].map(clodura)).await;
    let auto = ClaimReveals { price: PerPerson::Auto, calls: 1, ..b.ask(Clodura) };
    let call = b.claim_as(auto.clone()).await.remove(0);
    let reserved = "SELECT CAST(SUM(credits_reserved) AS BIGINT) FROM batch_spend";
    assert_eq!(b.database.number(reserved).await, 20);
    b.accept(&call).await;
    b.webhook(&call, vec![result("1", jobs::outcome::Finding::NotFound)]).await;
    read_balance(b, Clodura, 38, Some(Tariff::DirectDials)).await;
    b.claim_as(auto).await;
    assert_eq!(b.database.number(reserved).await, 1);
}
