//! One person, one reveal: whichever batches name the person, by any identifier, in any order.

use std::sync::Arc;

use jobs::Provider::{Clodura, Ocean};
use tokio::sync::Barrier;

use crate::harness::people::{Options, Who, clodura, linkedin, ocean, oceans, rows};
use crate::harness::{Bench, HOUR, found, not_found, on_both};

on_both!(
    twice_in_one_file,
    across_batches,
    aliases_in_every_order,
    aliases_in_every_order_across_chunks,
    aliases_in_every_order_across_batches,
    chains_of_aliases_lead_to_one_person,
    an_address_with_two_ids_links_no_person,
    a_merge_counts_for_rows_that_waited,
    a_merge_with_a_found_person_ends_those_who_waited,
    what_waits_is_not_ended_by_a_not_found,
    submits_at_once_make_a_person_once,
    a_refresh_asks_again_for_its_own_rows_only,
    a_refresh_takes_what_is_new_enough,
    a_cancelled_refresh_leaves_the_known_result,
    failed_people_are_asked_afresh,
    found_at_another_provider_is_never_asked,
);

async fn twice_in_one_file(b: &Bench) {
    let batch = b.begin(Options::default()).await;
    let loaded = b.load(&batch, &[ocean("o1"), ocean("o2"), ocean("o1")]).await;
    assert_eq!((loaded.rows, loaded.shared, loaded.new_people[&Ocean]), (3, 1, 2));
    b.publish(&batch).await;
    let batch = b.batch_number(&batch).await;
    let call = b.claim_one(Ocean).await;
    assert_eq!(call.people.len(), 2);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    let shown = b.shown(batch).await;
    let credits: Vec<i64> = shown.iter().map(|row| row.credits).collect();
    assert_eq!(credits, [1, 0, 0]);
    assert_eq!(shown[2].phones, shown[0].phones);
}

async fn across_batches(b: &Bench) {
    let first = b.submit(&oceans(1..=2)).await;
    let call = b.claim_one(Ocean).await;
    let second = b.submit(&oceans(1..=3)).await;
    b.check("shares what is on its way").await;
    assert_eq!(b.states(second).await, ["sending", "sending", "queued"]);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    let third = b.submit(&oceans(1..=2)).await;
    for batch in [first, third] {
        assert_eq!(b.states(batch).await, ["found", "not_found"]);
    }
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o3"]);
}

/// The first row names both identifiers, the second the address only, the third the id only.
fn three() -> [Who; 3] {
    [clodura("c1").linkedin("jane"), linkedin("jane"), clodura("c1")]
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Checks that all rows of `batches` are one person, who is asked for once and answered for all.
async fn asked_once(b: &Bench, batches: &[i64]) {
    b.check("loaded").await;
    let call = b.claim_one(Clodura).await;
    assert!(b.claim(Clodura).await.is_empty());
    b.accept_with(&call, Some("t")).await;
    b.webhook(&call, vec![found("c1")]).await;
    for batch in batches {
        for row in b.shown(*batch).await {
            assert_eq!((&*row.state, row.phones.as_deref()), ("found", Some("+45 c1")), "{row:?}");
        }
    }
    b.check("answered").await;
}

/// Deletes all people, before the next order is tested.
async fn forget(b: &Bench) {
    for table in [
        "call_reveals",
        "calls",
        "phones",
        "batch_rows",
        "row_waterfall",
        "batch_totals",
        "batches",
        "reveals",
        "identity_links",
    ] {
        b.database.run(&format!("DELETE FROM {table}")).await;
    }
}

async fn aliases_in_every_order(b: &Bench) {
    for order in ORDERS {
        let batch = b.submit(&order.map(|n| three()[n].clone())).await;
        asked_once(b, &[batch]).await;
        forget(b).await;
    }
}

async fn aliases_in_every_order_across_chunks(b: &Bench) {
    for order in ORDERS {
        let batch = b.begin(Options::default()).await;
        for (n, row) in (0..).zip(order) {
            b.load_after(&batch, n, &[three()[row].clone()]).await;
        }
        b.publish(&batch).await;
        asked_once(b, &[b.batch_number(&batch).await]).await;
        forget(b).await;
    }
}

async fn aliases_in_every_order_across_batches(b: &Bench) {
    for order in ORDERS {
        let mut batches = Vec::new();
        for row in order {
            batches.push(b.submit(&[three()[row].clone()]).await);
        }
        asked_once(b, &batches).await;
        forget(b).await;
    }
}

async fn chains_of_aliases_lead_to_one_person(b: &Bench) {
    let links = [
        linkedin("a"),
        linkedin("b"),
        clodura("c1").linkedin("a"),
        ocean("o1").linkedin("b").by(&[Clodura]),
        ocean("o1").clodura("c1").by(&[Clodura]),
        linkedin("b"),
        clodura("c1"),
        linkedin("a"),
    ];
    let mut batches = Vec::new();
    for link in links {
        batches.push(b.submit(&[link]).await);
        b.check("linked").await;
    }
    asked_once(b, &batches).await;
}

async fn an_address_with_two_ids_links_no_person(b: &Bench) {
    let rows = [clodura("c1").linkedin("a"), clodura("c2").linkedin("a"), linkedin("a")];
    for order in ORDERS {
        let batch = b.begin(Options::default()).await;
        let loaded = b.load(&batch, &order.map(|n| rows[n].clone())).await;
        assert_eq!(loaded.new_people[&Clodura], 3, "{order:?}");
        assert_eq!(loaded.contradictions.len(), 1);
        b.publish(&batch).await;
        let mut asked: Vec<String> = Vec::new();
        for call in b.claim(Clodura).await {
            asked.extend(call.people);
        }
        asked.sort();
        assert_eq!(asked, ["clodura:c1", "clodura:c2", "linkedin.com/in/a"]);
        forget(b).await;
    }
}

async fn a_merge_counts_for_rows_that_waited(b: &Bench) {
    let by_id = b.submit(&[clodura("c1"), clodura("c1")]).await;
    let by_address = b.submit(&[linkedin("jane")]).await;
    let both = b.submit(&[clodura("c1").linkedin("jane")]).await;
    b.check("merged").await;
    asked_once(b, &[by_id, by_address, both]).await;
}

async fn a_merge_with_a_found_person_ends_those_who_waited(b: &Bench) {
    b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c1")]).await;
    let waiting = b.submit(&[linkedin("jane")]).await;
    let both = b.submit(&[clodura("c1").linkedin("jane")]).await;
    assert_eq!(
        (b.states(waiting).await, b.states(both).await),
        (vec!["found".to_owned()], vec!["found".to_owned()])
    );
    assert!(b.claim(Clodura).await.is_empty());
}

async fn what_waits_is_not_ended_by_a_not_found(b: &Bench) {
    b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("c1")]).await;
    let waiting = b.submit(&[ocean("o1").linkedin("jane").by(&[Clodura, Ocean])]).await;
    assert_eq!(b.shown(waiting).await[0].provider.as_deref(), Some("clodura"));
    b.submit(&[clodura("c1").linkedin("jane")]).await;
    b.check("merged").await;
    let call = b.claim_one(Clodura).await;
    assert_eq!(call.people, ["linkedin.com/in/jane"]);
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("c1")]).await;
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
}

async fn submits_at_once_make_a_person_once(b: &Bench) {
    let stores = [b.store.clone(), b.another_store().await, b.another_store().await];
    let barrier = Arc::new(Barrier::new(stores.len()));
    let mut tasks = Vec::new();
    for (n, store) in stores.into_iter().enumerate() {
        let (batch, barrier) = (b.begin(Options::default()).await, barrier.clone());
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            for chunk in 0..10_u32 {
                let first = chunk * 5 + 1 + n as u32;
                let mut chunk_rows = rows(&oceans(first..=first + 20));
                chunk_rows.iter_mut().for_each(|row| row.number += i64::from(chunk) * 100);
                store.batches().load(&batch, chunk_rows).await.unwrap();
            }
            store.batches().publish(&batch, None).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    b.check("all loaded").await;
    let mut asked = Vec::new();
    for call in b.claim(Ocean).await {
        asked.extend(call.people);
    }
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!((all, asked.len()), (68, 68));
}

async fn answer_first(b: &Bench, batch: &[Who]) -> i64 {
    let batch = b.submit(batch).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    batch
}

async fn a_refresh_asks_again_for_its_own_rows_only(b: &Bench) {
    let old = answer_first(b, &oceans(1..=2)).await;
    b.advance(HOUR).await;
    let new = b.submit_with(&oceans(1..=2), Options::refresh(b.store.now())).await;
    b.check("refreshing").await;
    assert_eq!(b.states(old).await, ["found", "not_found"]);
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![not_found("o1"), found("o2")]).await;
    assert_eq!(b.states(old).await, ["found", "not_found"]);
    assert_eq!(b.states(new).await, ["not_found", "found"]);
}

async fn a_refresh_takes_what_is_new_enough(b: &Bench) {
    let answered = b.store.now();
    answer_first(b, &oceans(1..=2)).await;
    b.advance(HOUR).await;
    let new = b.submit_with(&oceans(1..=2), Options::refresh(answered)).await;
    assert_eq!(b.states(new).await, ["found", "not_found"]);
}

async fn a_cancelled_refresh_leaves_the_known_result(b: &Bench) {
    answer_first(b, &oceans(1..=2)).await;
    b.advance(HOUR).await;
    let limit = b.store.now();
    let refresh = b.submit_with(&oceans(1..=2), Options::refresh(limit)).await;
    b.cancel(refresh).await;
    b.check("cancelled").await;
    let third = b.submit(&oceans(1..=2)).await;
    assert_eq!(b.states(third).await, ["found", "not_found"]);
    assert!(b.claim(Ocean).await.is_empty());
    let fourth = b.submit_with(&oceans(1..=2), Options::refresh(limit)).await;
    assert_eq!(b.states(fourth).await, ["queued"; 2]);
    assert_eq!(b.claim_one(Ocean).await.people.len(), 2);
}

async fn failed_people_are_asked_afresh(b: &Bench) {
    let first = b.submit(&[ocean("o1"), ocean("o2")]).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[0]).await;
    assert_eq!(b.states(first).await, ["failed", "queued"]);
    let second = b.submit(&[ocean("o1")]).await;
    b.check("asked afresh").await;
    assert_eq!(b.states(second).await, ["queued"]);
    assert_eq!(b.states(first).await, ["failed", "queued"]);
}

async fn found_at_another_provider_is_never_asked(b: &Bench) {
    b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c1")]).await;
    let batch = b.submit(&[ocean("o1").clodura("c1")]).await;
    assert_eq!(b.shown(batch).await[0].provider.as_deref(), Some("clodura"));
    assert_eq!(b.states(batch).await, ["found"]);
    assert!(b.claim(Ocean).await.is_empty());
}
