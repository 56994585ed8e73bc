//! The main job: files go in, the true result of every row comes out, and each person is paid for once.

use end_to_end::{Kind, LONG, Row, Scene, Submitted, read_csv, repository};
use sandbox::{Config, Endpoint, Plan, Provider};
use serde_json::json;

use crate::checks::{books_are_closed, equals_expected, exported, in_order, no_row, spent};

on_both!(
    every_row_gets_its_expected_result,
    the_waterfall_asks_the_second_only_for_what_the_first_lacks,
    a_provider_named_twice_is_asked_once,
    rows_listed_twice_are_asked_once,
    clodura_without_webhooks_is_polled,
    lost_webhooks_are_polled_for_or_expire,
    receiving_and_working_separately,
    sigterm_leaves_nothing_on_its_way,
    an_expired_row_does_not_go_on_to_the_next_provider,
    the_example_file_of_people,
);

/// Ids of every sort that the sandbox knows.
fn sorts(prefix: &str, n: usize) -> Vec<String> {
    let marked = ["found-", "many-", "none-", "bad-"].into_iter().map(|m| format!("{m}{prefix}"));
    marked.chain((0..n).map(|i| format!("{prefix}{i}"))).collect()
}

async fn every_row_gets_its_expected_result(kind: Kind) {
    let mut config = Config::instant();
    config.clodura.plan = Plan::Prospect;
    let scene = Scene::new(kind, config).await;
    let mut rows: Vec<Row> = sorts("a", 700).into_iter().map(Row::ocean).collect();
    rows.extend(sorts("b", 150).into_iter().map(Row::clodura));
    rows.extend(sorts("c", 150).iter().map(|slug| Row::linkedin(slug)));
    let batch = scene.submit(&rows, &["--name", "all sorts"]).await;
    assert_eq!(batch.number("rows"), rows.len() as i64);
    assert_eq!(batch.number("queued"), rows.len() as i64);

    scene.worker().until_idle().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &rows, no_row).await;
    assert_eq!(tally["failed"], 3);
    books_are_closed(&scene).await;
    assert_eq!(scene.charged_again(), 0);
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
    assert_eq!(spent(&scene, "clodura").await, scene.charged(Provider::Clodura));
    let requests = scene.sandbox.stats().ocean.accepted_requests;
    assert!(requests <= 5, "704 people took {requests} requests");
}

async fn the_waterfall_asks_the_second_only_for_what_the_first_lacks(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let rows: Vec<Row> = (0..300).map(|n| Row::both(format!("o{n}"), format!("c{n}"))).collect();
    let batch = scene.submit(&rows, &["--providers", "ocean,clodura"]).await;
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    for row in &rows {
        let lacking = !scene.sandbox.expected(Provider::Ocean, &row.ocean).is_found(true);
        let asked = scene.sandbox.person(Provider::Clodura, &row.clodura).is_some();
        assert_eq!(asked, lacking, "{row:?}");
    }
    assert_eq!(scene.charged_again(), 0);
}

async fn a_provider_named_twice_is_asked_once(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let rows: Vec<Row> = (0..40).map(|n| Row::both(format!("o{n}"), format!("c{n}"))).collect();
    let batch = scene.submit(&rows, &["--providers", "ocean,clodura,ocean"]).await;
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.charged_again(), 0);
}

async fn rows_listed_twice_are_asked_once(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let once: Vec<Row> = (0..100).map(|n| Row::ocean(format!("p{n}"))).collect();
    let twice = [once.clone(), once.clone()].concat();
    let first = scene.submit(&twice, &[]).await;
    assert_eq!((first.number("queued"), first.number("shared")), (100, 100));
    scene.worker().until_idle().await.with_code(0);
    let second = scene.submit(&once, &[]).await;
    assert_eq!((second.number("queued"), second.number("shared")), (0, 100));
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &first.id, &twice, no_row).await;
    equals_expected(&scene, &second.id, &once, no_row).await;
    let ocean = scene.sandbox.stats().ocean;
    assert_eq!((ocean.people, ocean.accepted_people), (100, 100));
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
    let shared = "SELECT COUNT(*) FROM row_status WHERE shared = 1 AND credits <> 0";
    assert_eq!(scene.db.int(shared).await, 0);
}

async fn clodura_without_webhooks_is_polled(kind: Kind) {
    let mut config = Config::instant();
    config.clodura.track_unknown_ms = 300;
    let scene = Scene::new(kind, config).await;
    let rows: Vec<Row> = (0..60).map(|n| Row::clodura(format!("p{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    let ended = scene.worker().without("WEBHOOK_PUBLIC_URL").until_idle().await.with_code(0);
    assert!(ended.stderr.contains("asked without partners, and polled"), "{}", ended.stderr);
    // Without partners only Clodura's own numbers are there.
    let shown = exported(&scene, &batch.id).await;
    for (shown, row) in shown.iter().zip(&rows) {
        let expected = scene.sandbox.expected(Provider::Clodura, &row.clodura);
        let found = expected.is_found(false);
        assert_eq!(shown["reveal_state"] == "found", found, "{row:?}");
        let phones = if found { expected.e164().join(";") } else { String::new() };
        assert_eq!(in_order(&shown["reveal_phones"]), in_order(&phones));
    }
    assert_eq!(scene.sandbox.stats().clodura.webhooks.attempts, 0);
    assert!(scene.sandbox.stats().requests.contains_key(&Endpoint::CloduraTrack));
    books_are_closed(&scene).await;
}

async fn lost_webhooks_are_polled_for_or_expire(kind: Kind) {
    let mut config = Config::instant();
    config.ocean.webhooks.lost_rate = 1.0;
    config.clodura.webhooks.lost_rate = 1.0;
    let mut scene = Scene::new(kind, config).await;
    scene.set("RESULT_DEADLINE", "3s");
    scene.set("WEBHOOK_GRACE", "200ms");
    let mut rows: Vec<Row> = (0..40).map(|n| Row::ocean(format!("o{n}"))).collect();
    rows.extend((0..40).map(|n| Row::clodura(format!("c{n}"))));
    let batch = scene.submit(&rows, &[]).await;
    scene.worker().until_idle().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &rows, |row, state| {
        state == "expired" && !row.ocean.is_empty()
    })
    .await;
    assert_eq!(tally["expired"], 40);
    let reasons = "SELECT DISTINCT reason FROM row_status WHERE state = 'expired'";
    assert_eq!(scene.db.column(reasons).await, ["no_result"]);
    books_are_closed(&scene).await;
    let ocean = scene.sandbox.stats().ocean;
    assert_eq!(ocean.accepted_requests, 1, "what may have been paid for is not asked again");
}

async fn receiving_and_working_separately(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let receiver = scene.worker().arg("--role").arg("webhooks").start().await;
    let jobs = || scene.worker().arg("--role").arg("jobs");
    let rows: Vec<Row> =
        (0..400)
            .map(|n| {
                if n % 2 == 0 { Row::ocean(format!("o{n}")) } else { Row::clodura(format!("c{n}")) }
            })
            .collect();
    scene.sandbox.hold_webhooks();
    let batch = scene.submit(&rows, &[]).await;
    let first = jobs().start().await;
    assert_eq!(first.webhooks, "", "a worker for jobs takes no webhooks");
    assert!(scene.sandbox.wait_for(LONG, |s| s.held >= 20).await);
    first.stop().await.with_code(0);
    // No worker runs jobs, and incoming webhooks are kept.
    let before = scene.sandbox.stats().ocean.webhooks.delivered;
    scene.sandbox.release_webhooks();
    assert!(scene.sandbox.wait_until_idle(LONG).await);
    let stats = scene.sandbox.stats();
    assert!(stats.ocean.webhooks.delivered > before);
    assert_eq!(stats.ocean.webhooks.given_up + stats.clodura.webhooks.given_up, 0);
    jobs().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    receiver.stop().await.with_code(0);
    assert_eq!(scene.charged_again(), 0);
}

async fn sigterm_leaves_nothing_on_its_way(kind: Kind) {
    let mut config = Config::instant();
    config.ocean.faults.slow_rate = 1.0;
    config.clodura.faults.slow_rate = 1.0;
    let scene = Scene::new(kind, config).await;
    let mut rows: Vec<Row> = (0..2_000).map(|n| Row::ocean(format!("o{n}"))).collect();
    rows.extend((0..500).map(|n| Row::clodura(format!("c{n}"))));
    let batch = scene.submit(&rows, &[]).await;
    for _ in 0..3 {
        let worker = scene.worker().start().await;
        let now = scene.sandbox.stats().clodura.requests;
        assert!(scene.sandbox.wait_for(LONG, |s| s.clodura.requests > now + 10).await);
        worker.stop().await.with_code(0);
        let sending = "SELECT COUNT(*) FROM reveal_status WHERE state = 'sending'";
        assert_eq!(scene.db.int(sending).await, 0);
        let unknown = "SELECT COUNT(*) FROM call_log WHERE outcome LIKE 'unknown%'";
        assert_eq!(scene.db.int(unknown).await, 0);
    }
    let swift = json!({"faults": {"slow_rate": 0}});
    scene.sandbox.merge_config(&json!({"ocean": swift, "clodura": swift})).unwrap();
    // Webhooks that arrived while no listener ran were given up; Clodura's results are polled.
    scene.worker().set("RESULT_DEADLINE", "5s").until_idle().await.with_code(0);
    let given_up = scene.sandbox.stats().ocean.webhooks.given_up;
    let excused =
        |row: &Row, state: &str| given_up > 0 && state == "expired" && !row.ocean.is_empty();
    equals_expected(&scene, &batch.id, &rows, excused).await;
    assert_eq!(scene.charged_again(), 0);
}

/// The expired result may have been paid for, so no second provider is paid for the same person.
async fn an_expired_row_does_not_go_on_to_the_next_provider(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("RESULT_DEADLINE", "1s");
    let rows = [Row::both("stuck-1", "found-c1"), Row::both("none-2", "found-c2")];
    let batch = scene.submit(&rows, &[]).await;
    scene.worker().until_idle().await.with_code(0);
    let tally = equals_expected(&scene, &batch.id, &rows, |_, state| state == "expired").await;
    assert_eq!((tally["expired"], tally["found"]), (1, 1));
    assert_eq!(scene.sandbox.person(Provider::Clodura, "found-c1"), None);
    books_are_closed(&scene).await;
}

/// examples/people.csv as users get it from their CRM: several spellings, rows listed twice.
async fn the_example_file_of_people(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let path = repository().join("examples/people.csv");
    let (header, records) = read_csv(&std::fs::read_to_string(&path).unwrap());
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (ocean, linkedin) = (column("Ocean Person ID"), column("LinkedIn URL"));
    let rows: Vec<Row> = records
        .iter()
        .map(|record| Row {
            ocean: record[ocean].trim().into(),
            linkedin: record[linkedin].trim().into(),
            clodura: String::new(),
        })
        .collect();
    scene.know(&rows);
    let options =
        ["--column", "linkedin_url=LinkedIn URL", "--column", "ocean_person_id=Ocean Person ID"];
    let ended = scene
        .enqueue(&[&["submit", path.to_str().unwrap(), "--json"], &options[..]].concat())
        .await;
    let batch = Submitted::read(&ended.with_code(0).stdout);
    scene.worker().until_idle().await.with_code(0);
    books_are_closed(&scene).await;
    assert_eq!(scene.charged_again(), 0);

    let (columns, shown) = read_csv(&scene.export(&batch.id).await);
    assert_eq!(columns[..header.len()], header);
    let finished = ["found", "not_found"];
    for (shown, record) in shown.iter().zip(&records) {
        assert_eq!(shown[..header.len()], *record, "the caller's own columns");
        assert!(finished.contains(&shown[header.len()].as_str()), "{shown:?}");
    }
    assert_eq!(shown.len(), records.len());
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
}
