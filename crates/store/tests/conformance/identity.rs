//! Identities: the evidence from files and answers, and its effects on rows.

use std::collections::BTreeSet;

use jobs::Provider::{Clodura, Ocean};
use store::{Contradiction, ErasureTarget, RetryStates, Split};

use crate::harness::people::{Options, clodura, linkedin, ocean};
use crate::harness::{Bench, HOUR, found, not_found, on_both};

on_both!(
    two_ids_with_one_address_stay_two_people,
    contradictions_are_reported_across_chunks_and_batches,
    a_cell_in_every_row_joins_no_person,
    later_clean_files_find_separate_people,
    erasing_one_leaves_who_only_shares_an_address,
    an_address_stays_ambiguous_when_one_of_its_people_is_erased,
    a_refresh_under_two_ids_asks_once,
    a_refresh_never_asks_anew_what_is_out,
    what_gives_way_keeps_no_place_in_the_queue,
    a_merge_with_a_number_is_shown_at_a_later_step,
    retry_finds_a_number_under_another_identifier,
    a_refused_address_leaves_the_id_to_be_asked,
    a_loading_batch_moves_no_person_of_a_published_one,
    a_batch_that_died_leaves_no_joins,
    what_two_state_outlives_either,
    what_an_answer_confirms_outlives_a_dead_batch,
    an_answer_under_another_id_of_the_kind_joins_no_person,
    an_ambiguous_answer_is_not_shared,
    what_was_split_stays_split,
    a_split_ends_what_contradicts_itself,
    a_late_answer_ends_what_waits_under_another_identifier,
    a_swept_batch_moves_no_person_when_it_is_published,
    what_is_contradicted_further_down_moves_no_person,
    more_merges_than_one_transaction_takes,
);

const FAILED: RetryStates = RetryStates { failed: true, expired: false, cancelled: false };

/// Claims all people at Clodura; returns them in order.
async fn asked(b: &Bench) -> Vec<String> {
    let mut asked: Vec<String> = Vec::new();
    for call in b.claim(Clodura).await {
        b.accept(&call).await;
        asked.extend(call.people.iter().map(|person| person.to_string()));
    }
    asked.sort();
    asked
}

/// Submits a person that is asked for at Clodura and found.
async fn found_as(b: &Bench, who: crate::harness::people::Who, id: &str) -> i64 {
    let batch = b.submit(&[who]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found(id)]).await;
    b.check("found").await;
    batch
}

async fn two_ids_with_one_address_stay_two_people(b: &Bench) {
    let rows = [ocean("o1").linkedin("ann").by(&[Ocean]), ocean("o2").linkedin("ann").by(&[Ocean])];
    let batch = b.begin(Options::default()).await;
    let loaded = b.load(&batch, &rows).await;
    let contradictions: Vec<&Contradiction> = loaded.contradictions.values().collect();
    let rows = BTreeSet::from([1, 2]);
    assert_eq!(contradictions, [&Contradiction { rows, more: false, elsewhere: false }]);
    b.publish(&batch).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1", "ocean:o2"]);
}

async fn contradictions_are_reported_across_chunks_and_batches(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    let first = b.load(&batch, &[clodura("c1").linkedin("ann")]).await;
    assert!(first.contradictions.is_empty());
    let second = b.load_after(&batch, 1, &[clodura("c2").linkedin("ann")]).await;
    let contradictions: Vec<&Contradiction> = second.contradictions.values().collect();
    assert_eq!(
        contradictions,
        [&Contradiction { rows: [1, 2].into(), more: false, elsewhere: false }]
    );
    b.publish(&batch).await;
    let other = b.begin(Options::default()).await;
    let third = b.load(&other, &[clodura("c3").linkedin("ann"), clodura("c4")]).await;
    let contradictions: Vec<&Contradiction> = third.contradictions.values().collect();
    assert_eq!(contradictions, [&Contradiction { rows: [1].into(), more: false, elsewhere: true }]);
    b.publish(&other).await;
}

async fn a_cell_in_every_row_joins_no_person(b: &Bench) {
    let rows: Vec<_> =
        (0..50).map(|n| ocean(&format!("o{n}")).linkedin("sam").by(&[Ocean])).collect();
    let batch = b.begin(Options::default()).await;
    for (nth, chunk) in (0..).zip(rows.chunks(7)) {
        b.load_after(&batch, nth * 7, chunk).await;
    }
    b.publish(&batch).await;
    b.check("published").await;
    assert_eq!(b.claim_one(Ocean).await.people.len(), 50);
}

async fn later_clean_files_find_separate_people(b: &Bench) {
    b.submit(&[clodura("c1").linkedin("sam"), clodura("c2").linkedin("sam")]).await;
    found_all(b).await;
    let later = b.submit(&[clodura("c1"), clodura("c2"), linkedin("sam")]).await;
    let shown = b.shown(later).await;
    let phones: Vec<Option<&str>> = shown.iter().map(|row| row.phones.as_deref()).collect();
    assert_eq!(phones, [Some("+45 c1"), Some("+45 c2"), None]);
    assert_eq!(asked(b).await, ["linkedin.com/in/sam"]);
}

async fn found_all(b: &Bench) {
    for call in b.claim(Clodura).await {
        b.accept(&call).await;
        let name = call.people[0].split(':').nth(1).unwrap_or("x").to_owned();
        b.webhook(&call, vec![found(&name)]).await;
    }
}

async fn erase(b: &Bench, identifier: &str) -> i64 {
    let target = ErasureTarget::Identifiers(BTreeSet::from([identifier.to_owned()]));
    let people = b.store.privacy().identify(&target).await.unwrap();
    let erased = b.store.privacy().erase(&people[0]).await.unwrap();
    b.check("erased").await;
    erased.erased.identifiers
}

async fn erasing_one_leaves_who_only_shares_an_address(b: &Bench) {
    let batch = b.submit(&[clodura("c1").linkedin("sam"), clodura("c2").linkedin("sam")]).await;
    found_all(b).await;
    assert_eq!(erase(b, "clodura:c1").await, 1);
    assert_eq!(b.states(batch).await, ["cancelled", "found"]);
}

async fn an_address_stays_ambiguous_when_one_of_its_people_is_erased(b: &Bench) {
    let batch = b.submit(&[clodura("c1").linkedin("sam"), clodura("c2").linkedin("sam")]).await;
    found_all(b).await;
    erase(b, "clodura:c1").await;
    assert_eq!(erase(b, "linkedin.com/in/sam").await, 1);
    assert_eq!(b.states(batch).await, ["cancelled", "found"]);
}

/// Finds one person under two identifiers, then submits a row that joins them.
async fn found_twice(b: &Bench) {
    found_as(b, clodura("c1"), "c1").await;
    found_as(b, linkedin("jane"), "").await;
    b.submit(&[clodura("c1").linkedin("jane")]).await;
    assert!(asked(b).await.is_empty());
    b.advance(HOUR).await;
}

async fn a_refresh_under_two_ids_asks_once(b: &Bench) {
    found_twice(b).await;
    let limit = b.store.now();
    let people = [clodura("c1"), linkedin("jane"), clodura("c1").linkedin("jane")];
    let first = b.submit_with(&people, Options::refresh(limit)).await;
    b.check("refreshed").await;
    let second = b.submit_with(&people, Options::refresh(limit)).await;
    b.check("refreshed again").await;
    let ordinary = b.submit(&[linkedin("jane").clodura("c1")]).await;
    assert_eq!(b.states(ordinary).await, ["found"]);
    b.advance(HOUR).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("c1")]).await;
    for batch in [first, second] {
        assert_eq!(b.states(batch).await, ["not_found"; 3]);
    }
    assert!(asked(b).await.is_empty());
}

async fn a_refresh_never_asks_anew_what_is_out(b: &Bench) {
    found_as(b, clodura("c1"), "c1").await;
    b.submit(&[linkedin("jane")]).await;
    assert_eq!(asked(b).await, ["linkedin.com/in/jane"]);
    b.advance(HOUR).await;
    let refresh = Options::refresh(b.store.now());
    let batch = b.submit_with(&[clodura("c1").linkedin("jane")], refresh.clone()).await;
    assert_eq!(b.states(batch).await, ["awaiting"]);
    let again = b.submit_with(&[clodura("c1")], refresh).await;
    assert_eq!(b.states(again).await, ["awaiting"]);
    assert!(asked(b).await.is_empty());
}

async fn what_gives_way_keeps_no_place_in_the_queue(b: &Bench) {
    let one = b.submit(&[clodura("c1")]).await;
    let other = b.submit(&[linkedin("jane")]).await;
    let both = b.submit(&[clodura("c1").linkedin("jane")]).await;
    b.check("merged").await;
    let waiting = "SELECT COUNT(*) FROM reveals WHERE state = 'queued'";
    assert_eq!(b.database.number(waiting).await, 1);
    assert_eq!(asked(b).await, ["clodura:c1"]);
    let later = b.submit(&[linkedin("jane")]).await;
    for batch in [one, other, both, later] {
        assert_eq!(b.states(batch).await, ["awaiting"]);
    }
}

async fn a_merge_with_a_number_is_shown_at_a_later_step(b: &Bench) {
    found_as(b, clodura("c1"), "c1").await;
    let waterfall = b.submit(&[ocean("o1").linkedin("jane")]).await;
    assert_eq!(b.shown(waterfall).await[0].provider.as_deref(), Some("ocean"));
    b.submit(&[clodura("c1").linkedin("jane")]).await;
    b.check("merged").await;
    assert_eq!(b.states(waterfall).await, ["found"]);
    assert!(b.claim(Ocean).await.is_empty());
}

async fn retry_finds_a_number_under_another_identifier(b: &Bench) {
    let batch = b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.refuse_people(&call, &[0]).await;
    assert_eq!(b.states(batch).await, ["failed"]);
    found_as(b, clodura("c1").linkedin("jane"), "c1").await;
    b.store.batches().retry(&b.batch_ref(batch).await, FAILED).await.unwrap();
    b.check("retried").await;
    assert_eq!(b.states(batch).await, ["found"]);
    assert!(asked(b).await.is_empty());
}

async fn a_refused_address_leaves_the_id_to_be_asked(b: &Bench) {
    b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.refuse_people(&call, &[0]).await;
    let batch = b.submit(&[clodura("c1").linkedin("jane")]).await;
    assert_eq!(asked(b).await, ["clodura:c1"]);
    assert_eq!(b.states(batch).await, ["awaiting"]);
}

async fn a_loading_batch_moves_no_person_of_a_published_one(b: &Bench) {
    b.submit(&[clodura("c1"), clodura("c2"), linkedin("jane")]).await;
    let urgent = b.begin(Options::priority(9)).await;
    b.load(&urgent, &[clodura("c1"), clodura("c2").linkedin("jane")]).await;
    b.check("loading").await;
    assert_eq!(asked(b).await, ["clodura:c1", "clodura:c2", "linkedin.com/in/jane"]);
    b.publish(&urgent).await;
    b.check("published").await;
    let published = b.submit(&[clodura("c3"), clodura("c4")]).await;
    let sooner = b.submit_with(&[clodura("c4")], Options::priority(9)).await;
    let owners: Vec<(i64,)> = b
        .database
        .all("SELECT owner FROM reveals WHERE subject IN ('clodura:c3', 'clodura:c4') ORDER BY subject")
        .await;
    assert_eq!(owners, [(published,), (sooner,)]);
}

async fn a_batch_that_died_leaves_no_joins(b: &Bench) {
    b.submit(&[clodura("c1"), linkedin("jane")]).await;
    let refused = b.begin(Options::default()).await;
    b.load(&refused, &[clodura("c1").linkedin("jane")]).await;
    b.store.batches().abandon(&refused).await.unwrap();
    b.check("abandoned").await;
    for table in ["identity_links", "batch_merges"] {
        assert_eq!(b.database.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(asked(b).await, ["clodura:c1", "linkedin.com/in/jane"]);
}

/// Two batches state the same pair while both are loading.
async fn what_two_state_outlives_either(b: &Bench) {
    for (nth, first_dies) in [true, false].into_iter().enumerate() {
        let id = format!("c{nth}");
        let row = || clodura(&id).linkedin(&id);
        let first = b.begin(Options::default()).await;
        b.load(&first, &[row(), row()]).await;
        let second = b.begin(Options::default()).await;
        b.load(&second, &[row(), row()]).await;
        let (dies, stays) = if first_dies { (first, second) } else { (second, first) };
        b.store.batches().abandon(&dies).await.unwrap();
        b.publish(&stays).await;
        b.check("published").await;
        b.submit(&[linkedin(&id)]).await;
        assert_eq!(asked(b).await, [format!("clodura:{id}")], "first dies: {first_dies}");
    }
}

async fn what_an_answer_confirms_outlives_a_dead_batch(b: &Bench) {
    b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    let dies = b.begin(Options::default()).await;
    b.load(&dies, &[clodura("c1").linkedin("jane")]).await;
    b.webhook(&call, vec![found("c1")]).await;
    b.store.batches().abandon(&dies).await.unwrap();
    let later = b.submit(&[clodura("c1")]).await;
    assert_eq!(b.states(later).await, ["found"]);
}

async fn an_answer_under_another_id_of_the_kind_joins_no_person(b: &Bench) {
    let first = b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c9")]).await;
    assert_eq!(b.states(first).await, ["found"]);
    let other = b.submit(&[clodura("c9")]).await;
    assert_eq!(b.states(other).await, ["queued"]);
    erase(b, "clodura:c9").await;
    assert_eq!(b.states(first).await, ["found"]);
}

async fn an_ambiguous_answer_is_not_shared(b: &Bench) {
    let by_address = b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    let rows = [clodura("c1").linkedin("jane"), clodura("c2").linkedin("jane")];
    let two = b.submit(&rows).await;
    b.webhook(&call, vec![found("c1")]).await;
    b.check("answered").await;
    assert_eq!(b.states(by_address).await, ["found"]);
    assert_eq!(b.states(two).await, ["queued"; 2]);
}

async fn what_was_split_stays_split(b: &Bench) {
    let first = found_as(b, clodura("c1").linkedin("jane"), "c1").await;
    let one = BTreeSet::from(["clodura:c1".to_owned()]);
    let split = b.store.people().split(one.clone()).await.unwrap();
    let separated = BTreeSet::from(["linkedin.com/in/jane".to_owned()]);
    assert_eq!(split.separated, [("clodura:c1".to_owned(), separated)].into());
    let batch_id = b.batch_ref(first).await.batch_id.to_string();
    assert_eq!((split.rows, split.rows_in_all), (vec![(batch_id, 1)], 1));
    assert_eq!(b.store.people().split(one).await.unwrap(), Split::default());
    let later = b.submit(&[linkedin("jane"), clodura("c1").linkedin("jane"), clodura("c1")]).await;
    assert_eq!(b.states(later).await, ["queued", "found", "found"]);
    assert_eq!(erase(b, "linkedin.com/in/jane").await, 1);
    assert_eq!(b.states(first).await, ["found"]);
    assert_eq!(b.states(later).await, ["cancelled", "found", "found"]);
}

async fn a_split_ends_what_contradicts_itself(b: &Bench) {
    let wrong = b.submit(&[clodura("c1").linkedin("jane"), clodura("c2").linkedin("jane")]).await;
    found_all(b).await;
    assert_eq!(b.states(wrong).await, ["found"; 2]);
    let split = b.store.people().split(BTreeSet::from(["clodura:c2".to_owned()])).await.unwrap();
    assert_eq!(split.separated.len(), 1);
    let later = b.submit(&[linkedin("jane"), clodura("c2").linkedin("jane")]).await;
    let shown = b.shown(later).await;
    let phones: Vec<Option<&str>> = shown.iter().map(|row| row.phones.as_deref()).collect();
    assert_eq!(phones, [Some("+45 c1"), Some("+45 c2")]);
    assert!(asked(b).await.is_empty());
}

async fn a_late_answer_ends_what_waits_under_another_identifier(b: &Bench) {
    b.submit(&[linkedin("jane")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("")]).await;
    b.advance(HOUR).await;
    let refresh = Options::refresh(b.store.now());
    let later = b.submit_with(&[clodura("c1").linkedin("jane")], refresh).await;
    let waiting = "SELECT subject FROM reveals WHERE state = 'queued'";
    assert_eq!(b.database.all::<(String,)>(waiting).await, [("clodura:c1".to_owned(),)]);
    b.webhook(&call, vec![found("")]).await;
    b.check("answered late").await;
    assert_eq!(b.states(later).await, ["found"]);
    assert!(asked(b).await.is_empty());
}

async fn a_swept_batch_moves_no_person_when_it_is_published(b: &Bench) {
    let before = b.submit(&[clodura("c1"), linkedin("jane")]).await;
    let swept = b.begin(Options::default()).await;
    b.load(&swept, &[clodura("c1").linkedin("jane")]).await;
    b.database.run("UPDATE batches SET cancelled_at = 1 WHERE published_at IS NULL").await;
    assert!(b.store.batches().publish(&swept, None).await.is_err());
    b.check("swept").await;
    assert_eq!(b.states(before).await, ["queued"; 2]);
    assert_eq!(asked(b).await, ["clodura:c1", "linkedin.com/in/jane"]);
}

async fn what_is_contradicted_further_down_moves_no_person(b: &Bench) {
    let before = b.submit(&[clodura("c1"), linkedin("jane")]).await;
    let batch = b.begin(Options::default()).await;
    b.load(&batch, &[clodura("c1").linkedin("jane")]).await;
    b.load_after(&batch, 1, &[clodura("c2").linkedin("jane")]).await;
    b.publish(&batch).await;
    b.check("published").await;
    assert_eq!(b.states(before).await, ["queued"; 2]);
    assert_eq!(asked(b).await, ["clodura:c1", "clodura:c2", "linkedin.com/in/jane"]);
}

async fn more_merges_than_one_transaction_takes(b: &Bench) {
    const MANY: usize = 1_100;
    let ids = (0..MANY).map(|n| clodura(&format!("c{n}")));
    let addresses = (0..MANY).map(|n| linkedin(&format!("p{n}")));
    let both = (0..MANY).map(|n| clodura(&format!("c{n}")).linkedin(&format!("p{n}")));
    let before = b.submit(&ids.clone().chain(addresses.clone()).collect::<Vec<_>>()).await;
    b.submit(&both.collect::<Vec<_>>()).await;
    b.check("merged").await;
    let waiting = "SELECT COUNT(*) FROM reveals WHERE state = 'queued'";
    assert_eq!(b.database.number(waiting).await, MANY as i64);
    assert_eq!(b.database.number("SELECT COUNT(*) FROM batch_merges").await, 0);
    assert_eq!(b.count(before, "queued").await, 2 * MANY);
}
