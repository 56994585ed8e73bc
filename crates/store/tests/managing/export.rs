//! A batch's rows in an export.

use jobs::Provider::{Clodura, Ocean};
use store::{BatchRef, ClaimReveals, ExportPage, ExportRow};

use crate::harness::people::{clodura, ocean, oceans};
use crate::harness::{Bench, found, not_found, on_both};

on_both!(an_export_shows_what_row_status_shows, people_are_found_wherever_they_stand,);

async fn pages(b: &Bench, batch: &BatchRef, most: usize) -> Vec<ExportPage> {
    let mut pages = Vec::new();
    let mut coming = b.store.reports().export_pages(batch.clone(), most);
    while let Some(page) = coming.recv().await {
        pages.push(page.unwrap());
    }
    pages
}

/// Returns the rows of the pages, after a comparison with `row_status`.
async fn compared<'a>(b: &Bench, batch: i64, pages: &'a [ExportPage]) -> Vec<ExportRow<'a>> {
    let exported: Vec<_> = pages.iter().flat_map(ExportPage::rows).collect();
    let shown = b.shown(batch).await;
    assert_eq!(exported.len(), shown.len());
    for (exported, shown) in exported.iter().zip(shown) {
        let numbers: Vec<&str> = exported.phones.iter().map(|p| p.number).collect();
        assert_eq!(exported.number, shown.row_number);
        assert_eq!(exported.state, shown.state);
        assert_eq!(exported.provider, shown.provider.as_deref());
        assert_eq!(exported.reason, shown.reason.as_deref());
        assert_eq!(exported.credits, jobs::Credits::whole(shown.credits));
        assert_eq!(numbers.join(";"), shown.phones.unwrap_or_default());
    }
    exported
}

async fn an_export_shows_what_row_status_shows(b: &Bench) {
    let people = [
        ocean("o1"),
        ocean("o2"),
        ocean("o1"),
        ocean("o3").clodura("c3"),
        clodura("c4"),
        ocean("o5"),
        ocean("o6"),
        ocean("o7"),
    ];
    let batch = b.submit(&people).await;
    let claim = |people| b.claim_as(ClaimReveals { people, calls: 1, ..b.ask(Ocean) });
    let call = claim(4).await.remove(0);
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2"), not_found("o3")]).await;
    b.unknown(&claim(1).await[0]).await;
    assert_eq!(claim(1).await.len(), 1, "on its way");
    b.store.gates().pause(Clodura).await.unwrap();
    let batch_ref = b.batch(batch).await;
    let pages = pages(b, &batch_ref, 2).await;
    let exported = compared(b, batch, &pages).await;
    assert_eq!(exported[0].fields, "[\"row 1\"]");
    assert_eq!(exported[3].state, "held");
    let out: Vec<_> = exported[5..].iter().map(|r| (r.state, r.reason)).collect();
    let unknown = Some("outcome unknown: time-out after 30s");
    assert_eq!(out, [("awaiting", None), ("awaiting", unknown), ("sending", None)]);
    let columns = b.store.reports().columns(&batch_ref).await.unwrap();
    assert_eq!((columns.names, columns.from_json_lines), (vec!["column".to_owned()], false));
}

/// People alone, among neighbours that are read together with them, shared with an older batch, listed twice, or without a
/// number.
async fn people_are_found_wherever_they_stand(b: &Bench) {
    let early = b.submit(&oceans(1..=300)).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    let name = |n: u32| format!("o{n}");
    let results = (1..=300).map(|n| if n % 3 == 0 { not_found(&name(n)) } else { found(&name(n)) });
    b.webhook(&call, results.collect()).await;

    let mut people = oceans(900..=1500);
    people.extend(oceans(7..=9));
    people.extend((0..700).map(|n| ocean(&name(400 + n * 37 % 700))));
    people.extend((0..300).map(|n| ocean(&name(1 + n * 7 % 300))));
    people.push(clodura("c1"));
    let late = b.submit(&people).await;
    b.claim_as(ClaimReveals { calls: 1, ..b.ask(Ocean) }).await;
    for batch in [early, late] {
        let batch_ref = b.batch(batch).await;
        for most in [1, 7, 60, 5_000] {
            let pages = pages(b, &batch_ref, most).await;
            let exported = compared(b, batch, &pages).await;
            assert!(exported.iter().any(|row| !row.phones.is_empty()));
        }
    }
}
