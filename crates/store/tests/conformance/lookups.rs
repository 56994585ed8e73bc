//! Looking people up at Ocean by their LinkedIn addresses.

use jobs::outcome::{Matches, Refusal};
use jobs::{CallKind, Credits, Provider};
use store::ClaimedCall;

use crate::harness::people::{Options, Who, linkedin, ocean, oceans};
use crate::harness::{Bench, answer, found, not_found, on_both};

use Provider::{Clodura, Ocean};

on_both!(
    who_is_matched_is_asked_by_their_id,
    a_person_in_several_batches_is_looked_up_once,
    who_is_known_by_id_already_is_not_asked_twice,
    two_addresses_of_one_person_are_asked_once,
    a_row_that_knows_the_id_does_not_wait_for_a_lookup,
    a_batch_without_lookup_leaves_it_alone,
    reveals_wait_for_full_requests,
    what_is_unknown_is_asked_again_and_written_off,
    a_lost_worker_s_lookup_is_asked_again,
    a_late_answer_is_booked,
    a_refusal_costs_nothing,
    a_bad_handle_fails_alone,
    nameless_people_are_asked_one_by_one,
    a_ceiling_is_not_passed,
    a_cancelled_batch_looks_up_no_more,
    who_is_erased_meanwhile_stays_erased,
    who_was_erased_by_id_is_not_asked,
    addresses_are_evidence_from_then_on,
    a_dry_run_counts_lookups,
);

fn looked_up(slug: &str) -> Who {
    linkedin(slug).looked_up()
}

fn many(n: usize) -> Vec<Who> {
    (0..n).map(|n| looked_up(&format!("p{n}"))).collect()
}

impl Bench {
    async fn lookup(&self) -> ClaimedCall {
        let call = self.claim_one(Ocean).await;
        assert_eq!(call.kind, CallKind::Lookup, "{call:?}");
        call
    }

    async fn reveal(&self) -> ClaimedCall {
        let call = self.claim_one(Ocean).await;
        assert_eq!(call.kind, CallKind::Reveal, "{call:?}");
        call
    }

    async fn matched(&self, call: &ClaimedCall, ids: &[Option<&str>]) {
        let ids = ids.iter().map(|id| id.map(str::to_owned)).collect();
        let matches = Matches { ids, unnamed: false };
        self.store.calls().answer_looked_up(answer(call, 200), matches).await.expect("taken");
        self.check("a lookup was answered").await;
    }

    /// Credits at Ocean, in thousandths: spent, the part spent by lookups, reserved, and written off.
    async fn ocean_credits(&self) -> (i64, i64, i64, i64) {
        self.database
            .one(
                "SELECT CAST(SUM(credits_spent) AS BIGINT), CAST(SUM(credits_looked_up) AS BIGINT),
                        CAST(SUM(credits_reserved) AS BIGINT), CAST(SUM(written_off) AS BIGINT)
                 FROM batch_totals WHERE provider = 'ocean'",
            )
            .await
    }

    async fn calls(&self) -> Vec<(String, String, i64)> {
        self.database.all("SELECT kind, state, people FROM calls ORDER BY id").await
    }
}

async fn who_is_matched_is_asked_by_their_id(b: &Bench) {
    let both = [looked_up("ada"), looked_up("bo"), looked_up("cy").by(&[Ocean])];
    let batch = b.submit(&both).await;
    let call = b.lookup().await;
    assert_eq!(call.people, ["ada", "bo", "cy"].map(|slug| format!("linkedin.com/in/{slug}")));
    assert_eq!(b.states(batch).await, ["sending"; 3]);
    assert_eq!(b.ocean_credits().await, (0, 0, 150, 0));
    b.matched(&call, &[Some("o1"), None, None]).await;
    assert_eq!(b.states(batch).await, ["queued", "queued", "not_found"]);
    let shown = b.shown(batch).await;
    assert_eq!(shown[1].provider.as_deref(), Some("clodura"), "it goes on at once");
    assert_eq!(shown[2].reason.as_deref(), Some(jobs::lookup::NO_MATCH));
    assert_eq!(b.ocean_credits().await, (50, 50, 0, 0));
    let call = b.reveal().await;
    assert_eq!(call.people, ["ocean:o1"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(batch).await, ["found", "queued", "not_found"]);
    assert_eq!(b.ocean_credits().await, (1_050, 50, 0, 0));
    let asked: (i64, i64) = b
        .database
        .one("SELECT people_asked, people_found FROM batch_totals WHERE provider = 'ocean'")
        .await;
    assert_eq!(asked, (1, 1), "lookups count for no hit rate");
}

async fn a_person_in_several_batches_is_looked_up_once(b: &Bench) {
    let first = b.submit(&[looked_up("ada"), looked_up("bo").by(&[Ocean])]).await;
    let second = b.submit(&[looked_up("ada"), looked_up("ada")]).await;
    let call = b.lookup().await;
    assert_eq!(call.people.len(), 2);
    let third = b.submit(&[looked_up("ada")]).await;
    b.matched(&call, &[Some("o1"), None]).await;
    let fourth = b.submit(&[looked_up("ada"), looked_up("bo").by(&[Ocean])]).await;
    let call = b.reveal().await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    for (batch, states) in [
        (first, vec!["found", "not_found"]),
        (second, vec!["found"; 2]),
        (third, vec!["found"]),
        (fourth, vec!["found", "not_found"]),
    ] {
        assert_eq!(b.states(batch).await, states);
    }
    assert!(b.claim(Ocean).await.is_empty());
}

async fn who_is_known_by_id_already_is_not_asked_twice(b: &Bench) {
    let known = b.submit(&[ocean("o1"), ocean("o2"), ocean("o3")]).await;
    let call = b.reveal().await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    let batch = b.submit(&["ada", "bo", "cy"].map(|slug| looked_up(slug).by(&[Ocean]))).await;
    let lookup = b.lookup().await;
    b.matched(&lookup, &[Some("o1"), Some("o2"), Some("o3")]).await;
    assert_eq!(b.states(batch).await, ["found", "not_found", "awaiting"]);
    assert_eq!(b.shown(batch).await[0].phones, b.shown(known).await[0].phones);
    b.webhook(&call, vec![found("o3")]).await;
    assert_eq!(b.states(batch).await, ["found", "not_found", "found"]);
    assert_eq!(b.ocean_credits().await, (2_150, 150, 0, 0));
    assert!(b.claim(Ocean).await.is_empty());
}

async fn two_addresses_of_one_person_are_asked_once(b: &Bench) {
    let batch = b.submit(&[looked_up("ada"), looked_up("ada-lovelace")]).await;
    let lookup = b.lookup().await;
    b.matched(&lookup, &[Some("o1"), Some("o1")]).await;
    let call = b.reveal().await;
    assert_eq!(call.people, ["ocean:o1"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.states(batch).await, ["found"; 2]);
    assert!(b.claim(Ocean).await.is_empty() && b.claim(Clodura).await.is_empty());
}

async fn a_row_that_knows_the_id_does_not_wait_for_a_lookup(b: &Bench) {
    let first = b.submit(&[looked_up("ada"), looked_up("bo").by(&[Ocean])]).await;
    let second = b.submit(&[ocean("o1").linkedin("ada")]).await;
    assert_eq!(b.states(first).await, ["queued"; 2]);
    let lookup = b.lookup().await;
    assert_eq!(lookup.people, ["linkedin.com/in/bo"]);
    // An id that a row names while the lookup is out counts for more than the lookup's 'no match'.
    let third = b.submit(&[ocean("o2").linkedin("bo")]).await;
    b.matched(&lookup, &[None]).await;
    let call = b.reveal().await;
    assert_eq!(call.people.len(), 2);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), found("o2")]).await;
    for (batch, rows) in [(first, 2), (second, 1), (third, 1)] {
        assert_eq!(b.count(batch, "found").await, rows);
    }
    assert_eq!(b.ocean_credits().await, (2_000, 0, 0, 0));
}

async fn a_batch_without_lookup_leaves_it_alone(b: &Bench) {
    let with = b.submit(&[looked_up("ada").by(&[Ocean])]).await;
    let without = b.submit(&[linkedin("ada").unasked(Ocean)]).await;
    assert_eq!(b.shown(without).await[0].provider.as_deref(), Some("clodura"));
    b.cancel(with).await;
    assert!(b.claim(Ocean).await.is_empty(), "nobody else wants it");
    assert_eq!(b.states(without).await, ["queued"]);
}

async fn reveals_wait_for_full_requests(b: &Bench) {
    b.submit(&many(2_300)).await;
    let mut lookups = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let calls = b.claim(Ocean).await;
        if calls.is_empty() {
            break;
        }
        for call in calls {
            if call.kind == CallKind::Reveal {
                sizes.push(call.people.len());
                b.accept(&call).await;
                continue;
            }
            assert!(b.claim(Ocean).await.is_empty(), "one at a time, and what is not full waits");
            lookups.push(call.people.len());
            // Seven of ten match.
            let ids = call
                .people
                .iter()
                .enumerate()
                .map(|(n, p)| (n % 10 < 7).then(|| p[16..].to_owned()));
            let matches = Matches { ids: ids.collect(), unnamed: false };
            b.store.calls().answer_looked_up(answer(&call, 200), matches).await.expect("taken");
        }
    }
    assert_eq!(lookups, [1_000, 1_000, 300]);
    assert_eq!(sizes, [500, 500, 500, 110]);
}

async fn what_is_unknown_is_asked_again_and_written_off(b: &Bench) {
    let batch = b.submit(&[looked_up("ada"), looked_up("bo").by(&[Ocean])]).await;
    let first = b.lookup().await;
    b.unknown(&first).await;
    b.check("a lookup's outcome is unknown").await;
    assert_eq!(b.states(batch).await, ["queued"; 2]);
    assert_eq!(b.ocean_credits().await, (0, 0, 0, 100), "it may have cost something");
    // Small lookups of one person, until an answer comes.
    let again = b.lookup().await;
    assert_eq!(again.people.len(), 1);
    b.matched(&again, &[Some("o1")]).await;
    let rest = b.lookup().await;
    assert_eq!(rest.people.len(), 1);
    b.unknown(&rest).await;
    // The repeats end at some point.
    for round in 0.. {
        let Some(call) = b.claim(Ocean).await.pop() else {
            if b.states(batch).await[1] == "failed" {
                break;
            }
            assert!(round < 100, "{:?}", b.states(batch).await);
            b.advance(b.policy.gate_max).await;
            let balance = b.store.gates().claim_balance(Ocean, 1e6).await.expect("claims").0;
            if let Some(balance) = balance {
                let reported = jobs::outcome::Balance {
                    credits: Credits::whole(1_000),
                    tariff: None,
                    daily: None,
                };
                let price = b.ask(Ocean).price;
                b.store
                    .gates()
                    .record_balance(balance, Ok(reported), Some(200), price, &b.policy)
                    .await
                    .expect("noted");
            }
            continue;
        };
        match call.kind {
            CallKind::Lookup => b.unknown(&call).await,
            CallKind::Reveal => b.accept(&call).await,
        }
    }
    let reason = b.shown(batch).await[1].reason.clone().unwrap_or_default();
    assert!(reason.starts_with("lookup: gave up after 8 attempts"), "{reason}");
}

async fn a_lost_worker_s_lookup_is_asked_again(b: &Bench) {
    let batch = b.submit(&[looked_up("ada"), looked_up("bo").by(&[Ocean])]).await;
    let lost = b.lookup().await;
    b.clock.advance(b.policy.heartbeat_timeout * 2);
    let next = jobs::WorkerId::generate();
    b.register(next, Some("key"), Some("url")).await;
    let swept = b.store.sweep_overdue(&b.policy).await.expect("sweeps");
    assert_eq!(swept.taken_over, 1);
    b.check("taken over").await;
    assert_eq!(b.states(batch).await, ["queued"; 2]);
    let again = b
        .store
        .calls()
        .claim_reveals(store::ClaimReveals { worker: next, ..b.ask(Ocean) })
        .await
        .expect("claims")
        .calls;
    assert_eq!((again.len(), again[0].people.len(), again[0].kind), (1, 2, CallKind::Lookup));
    b.matched(&again[0], &[Some("o1"), None]).await;
    assert_eq!(b.states(batch).await, ["queued", "not_found"]);
    assert_eq!(b.ocean_credits().await, (50, 50, 0, 100));
    let outcomes: Vec<(String,)> = b.database.all("SELECT outcome FROM calls ORDER BY id").await;
    assert_eq!(outcomes[0].0, "unknown: its worker is gone; asked again");
    assert_eq!(outcomes[1].0, "1 of 2 matched");
    // The worker was alive after all, and reports the cost of the lookup.
    b.matched(&lost, &[Some("o1"), None]).await;
    assert_eq!(b.ocean_credits().await, (100, 100, 0, 0));
    assert_eq!(b.states(batch).await, ["queued", "not_found"]);
}

async fn a_late_answer_is_booked(b: &Bench) {
    let batch = b.submit(&[looked_up("ada").by(&[Ocean]), looked_up("bo").by(&[Ocean])]).await;
    let lost = b.lookup().await;
    b.clock.advance(b.policy.heartbeat_timeout * 2);
    b.store.sweep_overdue(&b.policy).await.expect("sweeps");
    b.matched(&lost, &[Some("o1"), None]).await;
    b.matched(&lost, &[Some("o1"), None]).await;
    assert_eq!(b.ocean_credits().await, (50, 50, 0, 0));
    b.store.workers().heartbeat(b.worker).await.expect("heartbeat");
    let kinds: Vec<CallKind> = b.claim(Ocean).await.iter().map(|call| call.kind).collect();
    assert_eq!(kinds, [CallKind::Lookup], "of the other it says nothing sure");
    assert_eq!(b.count(batch, "queued").await, 1);
}

async fn a_refusal_costs_nothing(b: &Bench) {
    let batch = b.submit(&[looked_up("ada").by(&[Ocean])]).await;
    let call = b.lookup().await;
    let retry_after = Some(std::time::Duration::from_secs(60));
    b.refuse(&call, 429, Refusal::RateLimited { retry_after }).await;
    b.check("refused").await;
    assert_eq!(b.ocean_credits().await, (0, 0, 0, 0));
    assert!(b.claim(Ocean).await.is_empty(), "the gate is closed");
    b.advance(std::time::Duration::from_secs(61)).await;
    let call = b.lookup().await;
    b.matched(&call, &[Some("o1")]).await;
    b.reveal().await;
    assert_eq!(b.states(batch).await, ["sending"]);
    b.store.calls().give_back(call, "twice".into()).await.expect_err("it is over");
}

async fn a_bad_handle_fails_alone(b: &Bench) {
    let batch = b.submit(&["ada", "bo", "cy"].map(|slug| looked_up(slug).by(&[Ocean]))).await;
    let call = b.lookup().await;
    b.refuse_people(&call, &[1]).await;
    b.check("one was named").await;
    assert_eq!(b.states(batch).await, ["queued", "failed", "queued"]);
    let call = b.lookup().await;
    // The refusal names no person, so the halves are asked separately.
    b.refuse_request(&call).await;
    b.check("nobody was named").await;
    let halves = b.claim(Ocean).await;
    assert_eq!(halves.iter().map(|call| call.people.len()).collect::<Vec<_>>(), [1, 1]);
    for (call, id) in halves.iter().zip(["o1", "o2"]) {
        assert_eq!(call.kind, CallKind::Lookup);
        b.matched(call, &[Some(id)]).await;
    }
    assert_eq!(b.reveal().await.people, ["ocean:o1", "ocean:o2"]);
}

async fn nameless_people_are_asked_one_by_one(b: &Bench) {
    let batch = b.submit(&["ada", "bo"].map(|slug| looked_up(slug).by(&[Ocean]))).await;
    let call = b.lookup().await;
    let matches = Matches { ids: vec![None, None], unnamed: true };
    b.store.calls().answer_looked_up(answer(&call, 200), matches).await.expect("taken");
    b.check("nobody is named").await;
    let calls = b.claim(Ocean).await;
    assert_eq!(calls.len(), 2);
    for call in &calls {
        let matches = Matches { ids: vec![None], unnamed: true };
        b.store.calls().answer_looked_up(answer(call, 200), matches).await.expect("taken");
    }
    assert_eq!(b.states(batch).await, ["not_found"; 2]);
}

async fn a_ceiling_is_not_passed(b: &Bench) {
    let batch = b.submit_with(&many(20), Options::ceiling(Ocean, 3)).await;
    let mut asked = 0;
    for _ in 0..20 {
        for call in b.claim(Ocean).await {
            b.check("claimed under a ceiling").await;
            if call.kind == CallKind::Lookup {
                let ids = call.people.iter().map(|p| Some(p[16..].to_owned())).collect();
                let matches = Matches { ids, unnamed: false };
                b.store.calls().answer_looked_up(answer(&call, 200), matches).await.expect("taken");
                continue;
            }
            asked += call.people.len();
            b.accept(&call).await;
            let results = call.people.iter().map(|p| found(&p[6..])).collect();
            b.webhook(&call, results).await;
        }
    }
    let (spent, lookups, reserved, _) = b.ocean_credits().await;
    assert!(spent <= 3_000 && reserved == 0 && asked == 2 && lookups == 150, "{spent} {lookups}");
    assert_eq!(b.count(batch, "held").await, 18);
}

async fn a_cancelled_batch_looks_up_no_more(b: &Bench) {
    let batch = b.submit(&many(3)).await;
    let call = b.lookup().await;
    let waiting = b.submit(&[looked_up("later")]).await;
    b.cancel(batch).await;
    b.cancel(waiting).await;
    b.matched(&call, &[Some("o1"), None, Some("o2")]).await;
    assert_eq!(b.states(batch).await, ["cancelled"; 3]);
    assert_eq!(b.states(waiting).await, ["cancelled"]);
    assert!(b.claim(Ocean).await.is_empty() && b.claim(Clodura).await.is_empty());
    assert_eq!(b.ocean_credits().await, (100, 100, 0, 0));
}

async fn erase(b: &Bench, identifier: &str) {
    let target = store::ErasureTarget::Identifiers([identifier.to_owned()].into());
    for person in b.store.privacy().identify(&target).await.expect("identifies") {
        b.store.privacy().erase(&person).await.expect("erases");
    }
}

async fn who_is_erased_meanwhile_stays_erased(b: &Bench) {
    let batch = b.submit(&[looked_up("ada")]).await;
    let call = b.lookup().await;
    erase(b, "linkedin.com/in/ada").await;
    b.matched(&call, &[Some("o1")]).await;
    assert_eq!(b.states(batch).await, ["cancelled"]);
    let later = b.submit(&[ocean("o1")]).await;
    assert_eq!(b.states(later).await, ["cancelled"], "the id is theirs, too");
    assert_eq!(b.ocean_credits().await.0, 50);
}

async fn who_was_erased_by_id_is_not_asked(b: &Bench) {
    erase(b, "ocean:o1").await;
    let batch = b.submit(&[looked_up("ada"), looked_up("bo").by(&[Ocean])]).await;
    let call = b.lookup().await;
    b.matched(&call, &[Some("o1"), Some("o2")]).await;
    let shown = b.shown(batch).await;
    assert_eq!((&*shown[0].state, shown[0].reason.as_deref()), ("cancelled", Some("erased")));
    assert_eq!(b.reveal().await.people, ["ocean:o2"]);
    assert!(b.claim(Clodura).await.is_empty());
    let later = b.submit(&[linkedin("ada").by(&[Clodura])]).await;
    assert_eq!(b.states(later).await, ["cancelled"]);
}

async fn addresses_are_evidence_from_then_on(b: &Bench) {
    b.submit(&[looked_up("ada").by(&[Ocean])]).await;
    let call = b.lookup().await;
    b.matched(&call, &[Some("o1")]).await;
    let call = b.reveal().await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1")]).await;
    // Clodura knows the person by the address, Ocean by the id.
    let later = b.submit(&[linkedin("ada").unasked(Ocean), ocean("o1")]).await;
    assert_eq!(b.states(later).await, ["found"; 2]);
    assert!(b.claim(Clodura).await.is_empty() && b.claim(Ocean).await.is_empty());
    assert_eq!(b.calls().await.len(), 2);
}

async fn a_dry_run_counts_lookups(b: &Bench) {
    let people = [
        &[looked_up("ada"), looked_up("ada"), looked_up("bo"), ocean("o1").linkedin("bo")],
        &*oceans(2..=3),
    ]
    .concat();
    let mut preview = store::Preview::new(None);
    let previewed = b
        .store
        .batches()
        .preview(&mut preview, crate::harness::people::rows(&people))
        .await
        .expect("previews");
    let batch = b.begin(Options::default()).await;
    let loaded = b.load(&batch, &people).await;
    b.publish(&batch).await;
    assert_eq!((previewed.lookups, loaded.lookups), (1, 1), "of bo a row knows the id");
    assert_eq!(previewed.new_people, loaded.new_people);
}
