//! A bad id never fails another person.

use std::collections::BTreeSet;

use jobs::Provider::Ocean;
use jobs::outcome::{BadPerson, Refusal};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use store::ClaimReveals;

use crate::harness::people::oceans;
use crate::harness::{Bench, HOUR, MINUTE, SECOND, found, not_found, on_both};

on_both!(
    those_named_fail_and_the_others_go_on,
    a_place_that_does_not_exist_splits_the_call,
    bad_ids_among_many_are_found_by_halving,
    a_person_who_may_have_been_accepted_is_isolated_no_longer,
    the_search_uses_a_part_of_the_day,
    refusing_all_closes_the_gate,
    refusing_all_after_a_first_success_closes_the_gate,
    refusing_all_is_probed_until_a_person_is_accepted,
);

async fn those_named_fail_and_the_others_go_on(b: &Bench) {
    let batch = b.submit(&oceans(1..=5)).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[1, 3, 3]).await;
    b.check("refused").await;
    assert_eq!(b.states(batch).await, ["queued", "failed", "queued", "failed", "queued"]);
    assert_eq!(b.shown(batch).await[1].reason.as_deref(), Some("refused: no such id"));
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1", "ocean:o3", "ocean:o5"]);
}

async fn a_place_that_does_not_exist_splits_the_call(b: &Bench) {
    b.submit(&oceans(1..=4)).await;
    let call = b.claim_one(Ocean).await;
    let bad = vec![BadPerson { index: 9, message: "a value was refused".into() }];
    b.refuse(&call, 422, Refusal::BadPeople(bad)).await;
    b.check("refused").await;
    let sizes: Vec<usize> = b.claim(Ocean).await.iter().map(|c| c.people.len()).collect();
    assert_eq!(sizes, [2, 2], "the same request once more would be refused once more");
}

/// Plays a provider that refuses each request with a bad id, without naming the id; returns the number of requests.
async fn isolate(b: &Bench, bad: &BTreeSet<String>) -> usize {
    let mut requests = 0;
    loop {
        let calls = b.claim(Ocean).await;
        if calls.is_empty() {
            return requests;
        }
        for call in calls {
            requests += 1;
            if call.people.iter().any(|person| bad.contains(person)) {
                b.refuse_request(&call).await;
            } else {
                b.accept(&call).await;
            }
        }
        b.check("isolating").await;
    }
}

async fn bad_ids_among_many_are_found_by_halving(b: &Bench) {
    let mut rng = StdRng::seed_from_u64(7);
    for (round, n) in [0_u32, 1, 2, 5, 16].into_iter().enumerate() {
        let first = round as u32 * 64 + 1;
        let batch = b.submit(&oceans(first..=first + 63)).await;
        let mut places: Vec<u32> = (first..first + 64).collect();
        places.shuffle(&mut rng);
        let bad = places.iter().take(n as usize).map(|p| format!("ocean:o{p}")).collect();
        b.advance(24 * HOUR).await;
        let requests = isolate(b, &bad).await;
        // Each bad id costs one path of halvings, with two requests per level.
        assert!(requests <= 1 + 2 * 6 * n as usize, "{n} bad ids cost {requests} requests");
        for row in b.shown(batch).await {
            let person = format!("ocean:{}", row.person.clone().unwrap());
            let want = if bad.contains(&person) { "failed" } else { "awaiting" };
            assert_eq!(row.state, want, "{row:?}");
        }
        let groups = "SELECT COUNT(*) FROM reveals WHERE queue_group IS NOT NULL";
        assert_eq!(b.database.number(groups).await, 0);
    }
}

async fn a_person_who_may_have_been_accepted_is_isolated_no_longer(b: &Bench) {
    let policy = jobs::Policy { unknown_grace: Some(HOUR), ..b.policy.clone() };
    let batch = b.submit(&oceans(1..=4)).await;
    b.refuse_request(&b.claim_one(Ocean).await).await;
    let halves = b.claim(Ocean).await;
    assert_eq!(halves.iter().map(|half| half.people.len()).collect::<Vec<_>>(), [2, 2]);
    b.accept(&halves[0]).await;
    b.unknown(&halves[1]).await;
    b.database.run("UPDATE provider_gates SET broken_streak = 0").await;
    b.submit(&oceans(5..=5)).await;
    b.webhook(&halves[0], vec![found("o1"), not_found("o2")]).await;
    b.advance(HOUR).await;
    assert_eq!(b.store.sweep_overdue(&policy).await.unwrap().repeated, 1);
    b.check("to be sent again").await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o3", "ocean:o4", "ocean:o5"]);
    assert_eq!(b.states(batch).await, ["found", "not_found", "sending", "sending"]);
    let isolated = "SELECT COUNT(*) FROM reveals WHERE isolation_group IS NOT NULL";
    assert_eq!(b.database.number(isolated).await, 0);
}

async fn the_search_uses_a_part_of_the_day(b: &Bench) {
    b.submit(&oceans(1..=8)).await;
    b.accept(&b.claim_as(ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) }).await[0]).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_request(&call).await;
    let today = b.store.now().0 / 86_400_000;
    b.database
        .run(&format!("UPDATE provider_gates SET isolation_today = 100, requests_day = {today}"))
        .await;
    assert!(b.claim(Ocean).await.is_empty());
    b.advance(24 * HOUR).await;
    assert_eq!(b.claim(Ocean).await.len(), 2, "a new day");
}

async fn gate(b: &Bench) -> (String, Option<String>) {
    b.database.one("SELECT state, reason FROM provider_gates WHERE provider = 'ocean'").await
}

async fn refusing_all_closes_the_gate(b: &Bench) {
    let batch = b.submit(&oceans(1..=20)).await;
    for _ in 0..5 {
        assert_eq!(gate(b).await.0, "open");
        let one = ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) };
        b.refuse_request(&b.claim_as(one).await[0]).await;
        b.check("refused alone").await;
    }
    assert_eq!(gate(b).await, ("closed".into(), Some("everything_refused".into())));
    assert_eq!(b.count(batch, "failed").await, 0, "the fault may not be theirs");
}

async fn refusing_all_after_a_first_success_closes_the_gate(b: &Bench) {
    let batch = b.submit(&oceans(1..=40)).await;
    let one = ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) };
    b.accept(&b.claim_as(one.clone()).await[0]).await;
    for _ in 0..10 {
        assert_eq!(gate(b).await.0, "open");
        b.refuse_request(&b.claim_as(one.clone()).await[0]).await;
        b.check("refused alone").await;
    }
    assert_eq!(gate(b).await, ("closed".into(), Some("everything_refused".into())));
    assert_eq!(b.count(batch, "failed").await, 9);
}

async fn refusing_all_is_probed_until_a_person_is_accepted(b: &Bench) {
    refusing_all_closes_the_gate(b).await;
    for minutes in [1, 2, 4] {
        b.advance(minutes * MINUTE - SECOND).await;
        assert!(b.claim(Ocean).await.is_empty(), "probed too early");
        b.advance(SECOND).await;
        let probe = b.claim_one(Ocean).await;
        assert_eq!(probe.people.len(), 1);
        b.refuse_request(&probe).await;
        b.check("the probe is refused, too").await;
        assert_eq!(gate(b).await.0, "closed");
    }
    b.advance(HOUR).await;
    b.accept(&b.claim_one(Ocean).await).await;
    assert_eq!(gate(b).await.0, "open");
}
