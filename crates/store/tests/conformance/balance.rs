//! Balance requests: when they are due, and the effects of their answers.

use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Balance, FreeRequestFailure, Refusal};
use jobs::{Credits, PerPerson};
use store::ClaimReveals;

use crate::harness::people::oceans;
use crate::harness::{Bench, FAST, HOUR, MINUTE, on_both};

on_both!(
    asked_once_at_the_start,
    too_little_closes_without_a_request,
    a_top_up_opens,
    a_402_asks_the_account,
    a_402_in_spite_of_credits_is_not_tried_over_and_over,
    an_account_that_stays_empty_is_asked_ever_more_seldom,
    what_is_believed_too_little_asks_the_account,
    a_broken_provider_is_probed_for_free,
    a_partial_outage_costs_one_person_a_probe,
    a_broken_provider_with_an_empty_account_is_known_as_empty,
    a_balance_that_can_not_be_read_is_tried_again,
    a_balance_request_may_be_limited,
    a_lost_request_is_made_again,
    a_short_day_is_spared,
);

async fn due(b: &Bench) -> Option<Duration> {
    let (claimed, at) = b.store.gates().claim_balance(Ocean, FAST).await.unwrap();
    assert!(claimed.is_none(), "a balance is due");
    at.map(|at| at.since(b.store.now()))
}

async fn record(b: &Bench, result: Result<Balance, FreeRequestFailure>) {
    let (claimed, _) = b.store.gates().claim_balance(Ocean, FAST).await.unwrap();
    let claimed = claimed.expect("a balance is due");
    b.store
        .gates()
        .record_balance(claimed, result, None, PerPerson::Fixed(Credits::whole(1)), &b.policy)
        .await
        .unwrap();
    b.check("balance").await;
}

async fn read(b: &Bench, credits: i64) {
    record(b, Ok(Balance { credits: Credits::whole(credits), tariff: None, daily: None })).await;
}

async fn gate(b: &Bench) -> (String, Option<String>) {
    b.database.one("SELECT state, reason FROM provider_gates WHERE provider = 'ocean'").await
}

fn closed(reason: &str) -> (String, Option<String>) {
    ("closed".to_owned(), Some(reason.to_owned()))
}

async fn asked_once_at_the_start(b: &Bench) {
    read(b, 100).await;
    assert_eq!(due(b).await, Some(HOUR), "from then on once an hour");
    assert!(b.store.gates().claim_balance(Clodura, FAST).await.unwrap().0.is_some());
    let left = "SELECT CAST(credits_left AS BIGINT) FROM provider_status WHERE provider = 'ocean'";
    assert_eq!(b.database.number(left).await, 100);
    let log = "SELECT COUNT(*) FROM call_log WHERE kind = 'balance'";
    assert_eq!(b.database.number(log).await, 1);
}

async fn too_little_closes_without_a_request(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    read(b, 0).await;
    assert_eq!(gate(b).await, closed("credits_insufficient"));
    assert!(b.claim(Ocean).await.is_empty());
    assert_eq!(b.count(batch, "held").await, 3);
    assert_eq!(due(b).await, Some(5 * MINUTE));
}

async fn a_top_up_opens(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    read(b, 0).await;
    b.advance(5 * MINUTE).await;
    read(b, 2).await;
    assert_eq!(gate(b).await.0, "open");
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

async fn a_402_asks_the_account(b: &Bench) {
    read(b, 100).await;
    b.submit(&oceans(1..=3)).await;
    b.refuse(&b.claim_one(Ocean).await, 402, Refusal::CreditsInsufficient).await;
    read(b, 0).await;
    assert_eq!(gate(b).await, closed("credits_insufficient"));
    b.advance(5 * MINUTE).await;
    read(b, 7).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 3);
}

async fn a_402_in_spite_of_credits_is_not_tried_over_and_over(b: &Bench) {
    b.submit(&oceans(1..=3)).await;
    let mut requests = 0;
    for _ in 0..60 {
        if b.store.gates().claim_balance(Ocean, FAST).await.unwrap().0.is_some() {
            b.database.run("UPDATE provider_gates SET balance_due_at = 0").await;
            read(b, 100).await;
            requests += 1;
        }
        for call in b.claim(Ocean).await {
            b.refuse(&call, 402, Refusal::CreditsInsufficient).await;
            requests += 1;
        }
        b.advance(MINUTE).await;
    }
    assert!(requests <= 12, "{requests} requests in an hour");
}

async fn an_account_that_stays_empty_is_asked_ever_more_seldom(b: &Bench) {
    read(b, 0).await;
    for minutes in [5, 10, 20, 40, 60, 60] {
        assert_eq!(due(b).await, Some(minutes * MINUTE));
        b.advance(minutes * MINUTE).await;
        read(b, 0).await;
    }
}

async fn what_is_believed_too_little_asks_the_account(b: &Bench) {
    read(b, 2).await;
    b.submit(&oceans(1..=5)).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
    assert_eq!(due(b).await, Some(5 * MINUTE));
    b.advance(5 * MINUTE).await;
    read(b, 10).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 3);
}

async fn broken(b: &Bench) {
    b.submit(&oceans(1..=8)).await;
    for call in b.claim_as(ClaimReveals { people: 1, calls: 5, ..b.ask(Ocean) }).await {
        b.unknown(&call).await;
    }
    assert_eq!(gate(b).await, closed("provider_broken"));
}

fn gone() -> Result<Balance, FreeRequestFailure> {
    Err(FreeRequestFailure::Unavailable { message: "HTTP 502".into() })
}

async fn a_broken_provider_is_probed_for_free(b: &Bench) {
    read(b, 100).await;
    broken(b).await;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(due(b).await, Some(minutes * MINUTE));
        b.advance(minutes * MINUTE).await;
        assert!(b.claim(Ocean).await.is_empty());
        record(b, gone()).await;
    }
    b.advance(HOUR).await;
    read(b, 100).await;
    assert_eq!(gate(b).await.0, "probing");
    let probe = b.claim_one(Ocean).await;
    assert_eq!(probe.people.len(), 1);
    b.accept(&probe).await;
    assert_eq!(gate(b).await.0, "open");
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

/// Balance requests succeed and orders fail: one small order follows each balance, at growing intervals.
async fn a_partial_outage_costs_one_person_a_probe(b: &Bench) {
    read(b, 100_000).await;
    broken(b).await;
    b.submit(&oceans(100..=1_099)).await;
    let mut asked = 0;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(due(b).await, Some(minutes * MINUTE));
        b.advance(minutes * MINUTE).await;
        read(b, 100_000).await;
        let probe = b.claim_one(Ocean).await;
        assert!(b.claim(Ocean).await.is_empty(), "one at a time");
        b.unknown(&probe).await;
        asked += probe.people.len();
        b.check("the probe is broken, too").await;
        assert_eq!(gate(b).await, closed("provider_broken"));
    }
    assert_eq!(asked, 8);
    b.advance(HOUR).await;
    read(b, 100_000).await;
    let probe = b.claim_one(Ocean).await;
    b.refuse(
        &probe,
        503,
        Refusal::Unavailable { message: "busy".into(), retry_after: Some(Duration::ZERO) },
    )
    .await;
    assert_eq!(due(b).await, Some(HOUR), "Retry-After: 0 is no time");
    b.advance(HOUR).await;
    read(b, 100_000).await;
    b.accept(&b.claim_one(Ocean).await).await;
    assert_eq!(gate(b).await.0, "open");
    assert_eq!(b.claim(Ocean).await[0].people.len(), 500);
}

async fn a_broken_provider_with_an_empty_account_is_known_as_empty(b: &Bench) {
    broken(b).await;
    b.advance(MINUTE).await;
    for call in [
        "UPDATE calls SET state = 'expired', deadline_at = NULL",
        "UPDATE reveals SET state = 'expired' WHERE state = 'asked'",
        "UPDATE batch_totals SET expired = asked, asked = 0, written_off = credits_reserved, credits_reserved = 0",
    ] {
        b.database.run(call).await;
    }
    read(b, 0).await;
    assert_eq!(gate(b).await, closed("credits_insufficient"));
}

async fn a_balance_that_can_not_be_read_is_tried_again(b: &Bench) {
    record(b, gone()).await;
    assert_eq!(due(b).await, Some(MINUTE));
    assert_eq!(gate(b).await.0, "open");
    b.advance(MINUTE).await;
    read(b, 5).await;
}

async fn a_balance_request_may_be_limited(b: &Bench) {
    let limited = FreeRequestFailure::RateLimited { retry_after: Some(2 * HOUR) };
    record(b, Err(limited)).await;
    assert_eq!(gate(b).await, closed("rate_limited"));
    assert_eq!(due(b).await, Some(2 * HOUR));
}

async fn a_lost_request_is_made_again(b: &Bench) {
    assert!(b.store.gates().claim_balance(Ocean, FAST).await.unwrap().0.is_some());
    assert_eq!(due(b).await, Some(MINUTE));
    b.advance(MINUTE).await;
    read(b, 5).await;
}

async fn a_short_day_is_spared(b: &Bench) {
    let daily = jobs::outcome::DailyQuota { left: 10, resets_in: HOUR };
    record(b, Ok(Balance { credits: Credits::whole(5000), tariff: None, daily: Some(daily) }))
        .await;
    b.submit(&oceans(1..=3)).await;
    b.advance(HOUR / 10).await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 3);
    b.submit(&oceans(4..=6)).await;
    let claims = b.store.calls().claim_reveals(b.ask(Ocean)).await.unwrap();
    assert!(claims.calls.is_empty() && claims.again_at > Some(b.store.now()));
    b.submit(&oceans(7..=600)).await;
    assert_eq!(b.claim(Ocean).await[0].people.len(), 500, "a full call goes at once");
}
