//! `--lookup ocean`: people who are known by their LinkedIn addresses only are asked at Ocean, too.

use std::collections::BTreeSet;

use end_to_end::{Kind, LONG, Row, Scene, csv_of};
use sandbox::{Config, Endpoint, Provider, ScriptedResponse};
use serde_json::Value;

use crate::checks::{books_are_closed, exported, in_order};

on_both!(
    matched_people_are_asked_and_the_others_go_on,
    ten_thousand_addresses_cost_ten_lookups_and_twenty_full_requests,
    what_fails_is_asked_again_and_no_person_is_paid_for_twice,
    a_death_at_any_moment_loses_no_person,
    a_lookup_without_ocean_is_wrong_usage,
);

const LOOKUP: [&str; 2] = ["--lookup", "ocean"];

fn config() -> Config {
    let mut config = Config::instant();
    config.ocean.recurrent = 1_000_000;
    config
}

fn slug(row: &Row) -> &str {
    row.linkedin.rsplit('/').next().unwrap_or_default()
}

/// Checks the export: it must show Ocean's result for people that Ocean matches, else Clodura's.
async fn equals_expected(scene: &Scene, batch: &str, rows: &[Row]) {
    let exported = exported(scene, batch).await;
    assert_eq!(exported.len(), rows.len());
    for (shown, row) in exported.iter().zip(rows) {
        let at_ocean =
            scene.sandbox.matched(slug(row)).map(|id| scene.sandbox.expected(Provider::Ocean, &id));
        let at_clodura = scene.sandbox.expected(Provider::Clodura, &row.linkedin);
        let found = |expected: &&sandbox::Expected| expected.is_found(true);
        let expected = at_ocean.as_ref().filter(found).or(Some(&at_clodura)).filter(found);
        let wanted = match expected {
            Some(expected) => {
                ("found", expected.provider.name(), in_order(&expected.e164().join(";")))
            }
            None => ("not_found", "clodura", in_order("")),
        };
        let get = |name: &str| shown[name].as_str();
        let is = (get("reveal_state"), get("reveal_provider"), in_order(get("reveal_phones")));
        assert_eq!(is, wanted, "{row:?}: {shown:?}");
    }
}

/// Ocean's spent and written-off credits by the ledger, in thousandths.
async fn ledger(scene: &Scene) -> (i64, i64) {
    let sum = |column: &str| {
        format!(
            "SELECT CAST(COALESCE(SUM({column}), 0) AS BIGINT) FROM batch_totals WHERE provider = 'ocean'"
        )
    };
    (scene.db.int(&sum("credits_spent")).await, scene.db.int(&sum("written_off")).await)
}

/// Ocean's charges by the sandbox's books, in thousandths of credits.
fn books(scene: &Scene) -> i64 {
    let ocean = scene.sandbox.stats().ocean;
    (ocean.credits_charged * 1_000 + ocean.lookup_thousandths) as i64
}

async fn matched_people_are_asked_and_the_others_go_on(kind: Kind) {
    let mut config = config();
    config.clodura.hit_rate = 1.0;
    let scene = Scene::new(kind, config).await;
    let mut rows: Vec<Row> = (0..40).map(|n| Row::linkedin(&format!("p{n}"))).collect();
    rows.extend(["found-1", "none-1", "many-1", "unlisted-1"].map(Row::linkedin));
    scene.know(&rows);
    let dry = [&["submit", "-", "--format", "csv", "--json", "--dry-run"], &LOOKUP[..]].concat();
    let dry = scene.enqueue_with(&dry, Some(csv_of(&rows))).await.with_code(0).stdout;
    let dry: Value = serde_json::from_str(&dry).unwrap();
    assert_eq!(dry["providers"]["ocean"]["lookup"]["people"], 44, "{dry}");
    assert_eq!(dry["providers"]["ocean"]["lookup"]["worst_case"], 2.2, "{dry}");
    let batch = scene.submit(&rows, &LOOKUP).await;
    assert_eq!(batch.report["providers"]["ocean"]["lookup"]["people"], 44);
    let again = scene.submit(&rows, &LOOKUP).await;
    scene.worker().until_idle().await.with_code(0);
    for batch in [&batch.id, &again.id] {
        equals_expected(&scene, batch, &rows).await;
    }
    books_are_closed(&scene).await;
    let stats = scene.sandbox.stats();
    assert_eq!(
        (stats.ocean.lookups, stats.ocean.looked_up, stats.ocean.looked_up_again),
        (1, 44, 0)
    );
    assert_eq!(scene.charged_again(), 0);
    assert_eq!(ledger(&scene).await, (books(&scene), 0));
    let kinds = "SELECT kind || ' ' || people FROM call_log WHERE provider = 'ocean' AND kind <> 'balance' ORDER BY sent_at, call_id";
    let matched = rows.iter().filter(|row| scene.sandbox.matched(slug(row)).is_some()).count();
    assert_eq!(scene.db.column(kinds).await, ["lookup 44".to_owned(), format!("reveal {matched}")]);
    let status = scene.enqueue(&["status", &batch.id]).await.with_code(0).stdout;
    let cost = stats.ocean.lookup_thousandths as f64 / 1_000.0;
    assert!(status.contains(&format!("(lookup {cost})")), "{status}");
    let status = scene.enqueue(&["status", &batch.id, "--json"]).await.with_code(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status[0]["credits"]["ocean"]["lookup"], cost, "{status}");
}

async fn ten_thousand_addresses_cost_ten_lookups_and_twenty_full_requests(kind: Kind) {
    let mut config = config();
    config.ocean.match_rate = 1.0;
    let scene = Scene::new(kind, config).await;
    let rows: Vec<Row> = (0..10_000).map(|n| Row::linkedin(&format!("p{n}"))).collect();
    let options = [&LOOKUP[..], &["--providers", "ocean"]].concat();
    scene.submit(&rows, &options).await;
    scene.worker().until_idle().await.with_code(0);
    books_are_closed(&scene).await;
    let ocean = scene.sandbox.stats().ocean;
    assert_eq!((ocean.lookups, ocean.largest_lookup), (10, 1_000));
    assert_eq!((ocean.accepted_requests, ocean.largest_request, ocean.people), (20, 500, 10_000));
    assert_eq!(ledger(&scene).await, (books(&scene), 0));
}

async fn what_fails_is_asked_again_and_no_person_is_paid_for_twice(kind: Kind) {
    let mut scene = Scene::new(kind, config()).await;
    scene.set("REQUEST_TIMEOUT", "1s");
    let answer = |status, accept| ScriptedResponse { accept, ..ScriptedResponse::new(status, "") };
    let limited = ScriptedResponse {
        headers: [("retry-after".into(), "1".into())].into(),
        ..answer(429, false)
    };
    let lost = ScriptedResponse { drop: true, ..answer(200, true) };
    let slow = ScriptedResponse { delay_ms: 5_000, ..answer(200, true) };
    let garbage = ScriptedResponse { accept: true, ..ScriptedResponse::new(200, "<html>") };
    let script = vec![limited, answer(503, false), answer(500, true), lost, slow, garbage];
    scene.sandbox.script(Endpoint::OceanLookup, script);
    let mut rows: Vec<Row> = (0..30).map(|n| Row::linkedin(&format!("p{n}"))).collect();
    rows.push(Row::linkedin("bad-1"));
    scene.know(&rows);
    let batch = scene.submit(&rows, &LOOKUP).await;
    scene.worker().until_idle().await.with_code(0);
    let good: Vec<Row> = rows[..30].to_vec();
    let all = exported(&scene, &batch.id).await;
    assert_eq!(all.len(), 31);
    assert_eq!(all[30]["reveal_provider"], "clodura", "Ocean refuses the handle, and only that");
    books_are_closed(&scene).await;
    assert_eq!(scene.charged_again(), 0, "no number is paid for twice");
    let (spent, perhaps) = ledger(&scene).await;
    let truly = books(&scene);
    assert!(spent <= truly && truly <= spent + perhaps, "{spent} {truly} {perhaps}");
    assert!(perhaps <= 50 * 31 * 4, "{perhaps}");
    let asked: BTreeSet<String> =
        good.iter().filter_map(|row| scene.sandbox.matched(slug(row))).collect();
    assert_eq!(scene.sandbox.stats().ocean.people, asked.len() as u64, "nobody is lost");
}

async fn a_death_at_any_moment_loses_no_person(kind: Kind) {
    for point in ["written_sending", "request_left", "answer_read", "answer_written"] {
        let mut scene = Scene::new(kind, config()).await;
        scene.set("HEARTBEAT_TIMEOUT", "1s");
        let rows: Vec<Row> = (0..12).map(|n| Row::linkedin(&format!("p{n}"))).collect();
        scene.know(&rows);
        let batch = scene.submit(&rows, &LOOKUP).await;
        // Only the lookup may be out at the crash: any other call would wait for its result until the deadline.
        let alone = scene.worker().set("OCEAN_RATE", "1/s").without("CLODURA_API_KEY");
        let ended = alone.set("FAILPOINT", point).spawn().ended(LONG).await;
        assert_eq!(ended.code, None, "{point}: it was to die by a signal\n{}", ended.stderr);
        scene.worker().until_idle().await.with_code(0);
        equals_expected(&scene, &batch.id, &rows).await;
        books_are_closed(&scene).await;
        let stats = scene.sandbox.stats();
        assert_eq!((stats.ocean.people_asked_again, scene.charged_again()), (0, 0), "{point}");
        assert!(stats.ocean.lookups <= 2, "{point}: {}", stats.ocean.lookups);
        let (spent, perhaps) = ledger(&scene).await;
        let truly = books(&scene);
        assert!(spent <= truly && truly <= spent + perhaps, "{point}: {spent} {truly} {perhaps}");
        assert!(perhaps <= 50 * 12, "{point}: {perhaps}");
    }
}

async fn a_lookup_without_ocean_is_wrong_usage(kind: Kind) {
    let mut scene = Scene::new(kind, config()).await;
    scene.set("OCEAN_API_TOKEN", "");
    let submit = |more: &[&'static str]| [&["submit", "-", "--format", "csv"], more].concat();
    let rows = csv_of(&[Row::linkedin("ada")]);
    for (options, said) in [
        (submit(&["--lookup", "clodura"]), "only ocean looks people up; write --lookup ocean"),
        (
            submit(&["--lookup", "ocean", "--providers", "clodura"]),
            "add it there, or leave --lookup out",
        ),
        (submit(&["--lookup", "ocean", "--providers", "available"]), "is not set up"),
    ] {
        let ended = scene.enqueue_with(&options, Some(rows.clone())).await.with_code(2);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    // A member id can't be looked up, so with Ocean alone the row has no usable identifier.
    let member = csv_of(&[Row::linkedin("ACoAAAbC")]);
    let options = submit(&["--lookup", "ocean", "--providers", "ocean"]);
    let ended = scene.enqueue_with(&options, Some(member)).await.with_code(3);
    assert!(ended.stderr.contains("is a member id"), "{}", ended.stderr);
    assert_eq!(scene.db.int("SELECT COUNT(*) FROM batch_status").await, 0);
}
