//! Views of batches: remaining work, reasons for delays, rows, and previews.

use jobs::Provider::{self, Clodura, Ocean};
use jobs::outcome::Refusal;
use store::{ClaimReveals, Loaded, NewBatch, Preview, Unfinished};

use crate::harness::people::{Options, Who, clodura, linkedin, ocean, oceans, rows};
use crate::harness::{Bench, HOUR, found, not_found, on_both};

on_both!(
    a_batch_is_found_by_id_name_and_beginning,
    nothing_is_left_of_finished_batches,
    a_pause_is_what_waiting_does_not_end,
    a_ceiling_is_what_waiting_does_not_end,
    what_is_out_may_still_move,
    a_batch_says_what_holds_it_up,
    rows_behind_a_gate_are_called_what_they_show,
    a_preview_counts_as_loading_does,
    a_refused_submit_leaves_nothing,
);

async fn named(b: &Bench, name: &str) -> String {
    let new = NewBatch {
        name: Some(name.to_owned()),
        header: Some(vec!["column".into()]),
        priority: 0,
        max_credits: Default::default(),
        refresh_before: None,
        wants_mobile: false,
    };
    let batch = b.store.batches().begin_batch(new).await.unwrap();
    b.load(&batch, &[ocean("o1")]).await;
    b.publish(&batch).await;
    batch.batch_id.to_string()
}

async fn a_batch_is_found_by_id_name_and_beginning(b: &Bench) {
    let (spring, autumn) = (named(b, "spring").await, named(b, "autumn").await);
    named(b, "autumn").await;
    let found = |text: String| async move {
        b.store.reports().find_batch(&text).await.map(|batch| batch.batch_id.to_string())
    };
    assert_eq!(found(spring.clone()).await.unwrap(), spring);
    assert_eq!(found(spring.to_lowercase()).await.unwrap(), spring);
    assert_eq!(found("spring".into()).await.unwrap(), spring);
    assert_eq!(found(spring[..24].to_owned()).await.unwrap(), spring);
    let ambiguous = found("autumn".into()).await.unwrap_err().to_string();
    assert!(ambiguous.contains(&autumn), "{ambiguous}");
    assert!(found("01".into()).await.is_err());
    assert!(found("%".into()).await.is_err());
    assert!(found(String::new()).await.is_err());
}

async fn nothing_is_left_of_finished_batches(b: &Bench) {
    assert_eq!(b.store.reports().unfinished().await.unwrap(), Unfinished::default());
    let loading = b.begin(Options::default()).await;
    b.load(&loading, &oceans(5..=6)).await;
    assert_eq!(b.store.reports().unfinished().await.unwrap(), Unfinished::default());
    b.submit(&oceans(1..=2)).await;
    assert_eq!(b.store.reports().unfinished().await.unwrap().unfinished, 2);
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2")]).await;
    assert_eq!(b.store.reports().unfinished().await.unwrap(), Unfinished::default());
}

async fn a_pause_is_what_waiting_does_not_end(b: &Bench) {
    b.submit(&[ocean("o1"), ocean("o2"), clodura("c1")]).await;
    b.store.gates().pause(Ocean).await.unwrap();
    let left = b.store.reports().unfinished().await.unwrap();
    assert_eq!((left.unfinished, left.stuck.len()), (3, 0));
    b.store.gates().pause(Clodura).await.unwrap();
    let left = b.store.reports().unfinished().await.unwrap();
    assert_eq!(
        left.stuck,
        [
            "ocean: 2 rows held: paused; enqueue resume ocean",
            "clodura: 1 row held: paused; enqueue resume clodura"
        ]
    );
    let resumed = b.store.gates().resume(Ocean).await.unwrap();
    assert!(resumed.was_paused && resumed.was_shut_for.is_none());
    assert!(b.store.reports().unfinished().await.unwrap().stuck.is_empty());
}

async fn a_ceiling_is_what_waiting_does_not_end(b: &Bench) {
    let batch = b.submit_with(&oceans(1..=3), Options::ceiling(Ocean, 1)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    assert!(b.claim(Ocean).await.is_empty());
    assert!(
        b.store.reports().unfinished().await.unwrap().stuck.is_empty(),
        "the one that is out may free it"
    );
    b.webhook(&call, vec![found("o1")]).await;
    assert!(b.claim(Ocean).await.is_empty());
    let stuck = b.store.reports().unfinished().await.unwrap().stuck;
    assert_eq!(stuck.len(), 1);
    assert!(stuck[0].contains("2 rows held: its ceiling of 1 credit is reached"), "{stuck:?}");
    b.store
        .batches()
        .set_ceilings(&b.batch(batch).await, &[(Ocean, Some(jobs::Credits::whole(2)))].into())
        .await
        .unwrap();
    assert!(b.store.reports().unfinished().await.unwrap().stuck.is_empty());
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o2"]);
}

async fn what_is_out_may_still_move(b: &Bench) {
    b.submit(&[ocean("o1"), clodura("c1")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.store.gates().pause(Ocean).await.unwrap();
    b.store.gates().pause(Clodura).await.unwrap();
    assert_eq!(b.store.reports().unfinished().await.unwrap().stuck.len(), 0);
    b.webhook(&call, vec![found("o1")]).await;
    assert_eq!(b.store.reports().unfinished().await.unwrap().stuck.len(), 1);
}

async fn a_batch_says_what_holds_it_up(b: &Bench) {
    let batch = b.submit(&oceans(1..=2)).await;
    let id = b.batch(batch).await.batch_id.to_string();
    assert!(b.store.reports().blocked_by().await.unwrap().is_empty());
    b.store.gates().pause(Ocean).await.unwrap();
    let held = b.store.reports().blocked_by().await.unwrap();
    assert_eq!(held[&id], ["ocean: 2 rows held: paused; enqueue resume ocean"]);
    b.store.workers().worker_stopped(b.worker).await.unwrap();
    let held = b.store.reports().blocked_by().await.unwrap();
    assert_eq!(held[&id][0], "no worker is running; start worker");
}

async fn rows_behind_a_gate_are_called_what_they_show(b: &Bench) {
    let batch = b.submit(&oceans(1..=3)).await;
    let id = b.batch(batch).await.batch_id.to_string();
    let refused = b.claim_as(ClaimReveals { people: 1, calls: 1, ..b.ask(Ocean) }).await.remove(0);
    let unreachable = Refusal::Unavailable { message: "no connection".into(), retry_after: None };
    b.refuse(&refused, 503, unreachable).await;
    // The wait is random, and may be none.
    b.database.run("UPDATE reveals SET due_at = due_at + 3600000 WHERE state = 'retrying'").await;
    let limit = Refusal::RateLimited { retry_after: Some(HOUR) };
    b.refuse(&b.claim_one(Ocean).await, 429, limit).await;
    assert_eq!(b.states(batch).await, ["retrying"; 3]);
    let held = b.store.reports().blocked_by().await.unwrap();
    assert_eq!(held[&id], ["ocean: 3 rows retrying: rate limited; next try in 1h"]);
    b.store.gates().pause(Ocean).await.unwrap();
    assert_eq!(b.states(batch).await, ["retrying", "held", "held"]);
    let paused = [
        "ocean: 2 rows held: paused; enqueue resume ocean",
        "ocean: 1 row retrying: paused; enqueue resume ocean",
    ];
    assert_eq!(b.store.reports().blocked_by().await.unwrap()[&id], paused);
    assert_eq!(b.store.reports().unfinished().await.unwrap().stuck, paused);
}

async fn a_preview_counts_as_loading_does(b: &Bench) {
    let known =
        b.submit(&[ocean("known"), clodura("known"), ocean("failed"), ocean("absent")]).await;
    let call = b.claim_one(Ocean).await;
    b.refuse_people(&call, &[1]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("known"), not_found("absent")]).await;
    assert_eq!(b.states(known).await, ["found", "queued", "failed", "not_found"]);
    // Submits that died and cancelled batches pay for no person.
    let died = b.begin(Options::priority(3)).await;
    b.load(&died, &[ocean("n2"), ocean("died").clodura("died"), clodura("c2")]).await;
    let cancelled = b.submit(&[ocean("cancelled").clodura("cancelled")]).await;
    b.cancel(cancelled).await;
    let chunks: [Vec<Who>; 4] = [
        vec![
            ocean("known"),
            ocean("failed"),
            ocean("absent").clodura("c1"),
            ocean("n1").clodura("c2").linkedin("two"),
            linkedin("two"),
        ],
        vec![clodura("known").linkedin("k"), ocean("n1"), ocean("n2").clodura("c3"), linkedin("k")],
        vec![clodura("c3"), clodura("c2"), ocean("n2"), ocean("failed"), linkedin("new")],
        vec![
            linkedin("new").by(&[Clodura]),
            clodura("c9"),
            ocean("n9").clodura("c9"),
            clodura("c9"),
            ocean("died").clodura("died"),
            ocean("cancelled").clodura("cancelled"),
            ocean("another").clodura("cancelled"),
        ],
    ];
    let mut preview = Preview::new(None);
    let mut previewed = Loaded::default();
    let mut before = 0;
    for chunk in &chunks {
        let mut numbered = rows(chunk);
        numbered.iter_mut().for_each(|row| row.number += before);
        before += chunk.len() as i64;
        previewed.add(b.store.batches().preview(&mut preview, numbered).await.unwrap());
    }
    let before = b.database.number("SELECT COUNT(*) FROM reveals").await;
    let batch = b.begin(Options::default()).await;
    let (mut loaded, mut after) = (Loaded::default(), 0);
    for chunk in &chunks {
        loaded.add(b.load_after(&batch, after, chunk).await);
        after += chunk.len() as i64;
    }
    b.publish(&batch).await;
    assert!(b.database.number("SELECT COUNT(*) FROM reveals").await > before);
    assert_eq!(previewed, loaded);
}

async fn a_refused_submit_leaves_nothing(b: &Bench) {
    let kept = b.submit(&[ocean("o1").linkedin("jane")]).await;
    let refused = b.begin(Options::priority(9)).await;
    let people = [ocean("o1"), ocean("o2").clodura("c2"), linkedin("jane"), linkedin("joe")];
    b.load(&refused, &people).await;
    b.store.batches().abandon(&refused).await.unwrap();
    b.check("abandoned").await;
    for (table, left) in [("batches", 1), ("batch_rows", 1), ("identity_links", 2), ("reveals", 2)]
    {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(b.database.number(&sql).await, left, "{table}");
    }
    assert_eq!(b.states(kept).await, ["queued"]);
    assert_eq!(b.claim_one(Ocean).await.people, ["ocean:o1"]);
    // The rows of the fixed file are new, and not shared with the refused ones.
    let fixed = b.begin(Options::default()).await;
    let loaded = b.load(&fixed, &[ocean("o2").clodura("c2")]).await;
    assert_eq!((loaded.rows, loaded.shared), (1, 0));
    assert_eq!(loaded.new_people, [(Provider::Ocean, 1), (Provider::Clodura, 1)].into());
}
