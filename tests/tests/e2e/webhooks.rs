//! The listener that the public can reach: the bodies that it accepts, those that it refuses, and their effects.

use std::io::Write;

use end_to_end::{Kind, LONG, Proxy, Row, Scene, Worker, eventually, get, open, post};
use sandbox::{Config, Endpoint, Provider, ScriptedResponse};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::checks::{books_are_closed, equals_expected, exported, no_row, spent};

on_both!(
    who_cannot_sign_learns_nothing,
    an_address_can_be_tried,
    too_large_and_wrong_bodies,
    a_packed_body_is_read,
    what_cannot_be_read_stops_the_spending_and_is_replayed,
    slow_senders_do_not_hold_up_others,
    unknown_people_and_replays_change_nothing,
    everything_at_once_comes_right,
    after_the_deadline_a_result_still_counts,
    a_nul_in_what_a_provider_says_loses_nothing,
    a_webhook_that_can_t_be_applied_holds_up_no_other,
);

/// A worker with calls out, and the addresses for their webhooks.
struct Out {
    scene: Scene,
    worker: Worker,
    batch: String,
    urls: Vec<String>,
    _tap: Proxy,
}

fn people() -> Vec<Row> {
    (0..6).map(|n| Row::ocean(format!("found-{n}"))).collect()
}

/// Two calls of three people each.
async fn out(kind: Kind) -> Out {
    let mut scene = Scene::new(kind, Config::instant()).await;
    let tap = Proxy::start(scene.sandbox.local_addr().to_string()).await;
    scene.set("OCEAN_BASE_URL", format!("http://{}", tap.address));
    scene.set("OCEAN_BATCH_SIZE", "3");
    scene.sandbox.hold_webhooks();
    let batch = scene.submit(&people(), &[]).await.id;
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.held == 2).await);
    scene.until("SELECT awaiting FROM batch_status", "6").await;
    let mut orders = tap.orders();
    // The calls left together. Sorting brings their addresses into the file's order.
    orders.sort_unstable();
    let urls: Vec<String> = orders.into_iter().map(|(_, url)| url).collect();
    assert_eq!(urls.len(), 2, "{urls:?}");
    Out { scene, worker, batch, urls, _tap: tap }
}

impl Out {
    async fn logged(&self, wanted: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM webhook_log WHERE {wanted}");
        self.scene.db.int(&sql).await
    }

    /// Lets the real webhooks arrive, and checks that the result is as if nothing had happened.
    async fn ends_well(self) {
        self.scene.sandbox.release_webhooks();
        self.scene.until_finished().await;
        self.worker.stop().await.with_code(0);
        equals_expected(&self.scene, &self.batch, &people(), no_row).await;
        books_are_closed(&self.scene).await;
        assert_eq!(spent(&self.scene, "ocean").await, self.scene.charged(Provider::Ocean));
    }
}

async fn who_cannot_sign_learns_nothing(kind: Kind) {
    let out = out(kind).await;
    let (first, second) = (&out.urls[0], &out.urls[1]);
    let part = |url: &str, n| url.split('/').nth(n).unwrap().to_owned();
    let (call, signature) = (part(first, 5), part(first, 6));
    let base = format!("http://{}/webhooks", out.worker.webhooks);
    let other = if signature.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{other}", &signature[..signature.len() - 1]);
    let body = json!({"phones": [{"personId": "found-0", "status": "notFound"}]}).to_string();
    for url in [
        format!("{base}/ocean/{call}/{forged}"),
        format!("{base}/ocean/{call}/{}", part(second, 6)),
        format!("{base}/clodura/{call}/{signature}"),
        format!("{base}/nobody/{call}/{signature}"),
        format!("{base}/ocean/{}/{signature}", part(second, 5)),
        format!("{base}/ocean/{}/{signature}", call.to_lowercase()),
        format!("{base}/ocean/{call}/"),
        format!("{base}/ocean/{call}/{}", signature.to_uppercase()),
        format!("{base}/ocean/{call}/{signature}/"),
        format!("{base}/ocean/{call}/{}", "a".repeat(10_000)),
        format!("{base}/ocean/%00/%ff"),
        format!("http://{}/", out.worker.webhooks),
        format!("http://{}/metrics", out.worker.webhooks),
    ] {
        for body in [body.as_bytes(), b"no json", &[b'x'; 5_000_000]] {
            let reply = post(&url, body).await;
            assert_eq!(
                (reply.status, reply.body.as_str()),
                (404, ""),
                "{} bytes to {url}",
                body.len()
            );
        }
    }
    let reply = get(&out.worker.webhooks, "/healthz").await;
    assert_eq!(reply.status, 404, "nothing else is served there");
    assert_eq!(out.logged("TRUE").await, 0);
    out.ends_well().await;
}

/// Providers and users test an address before they use it.
async fn an_address_can_be_tried(kind: Kind) {
    let out = out(kind).await;
    let path = out.urls[0].split_once(&out.worker.webhooks).unwrap().1;
    for (path, status) in [(path.to_owned(), 200), (format!("{path}x"), 404)] {
        let reply = get(&out.worker.webhooks, &path).await;
        assert_eq!((reply.status, reply.body.as_str()), (status, ""));
        for method in ["HEAD", "PUT", "DELETE", "OPTIONS"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            let mut stream = open(&out.worker.webhooks, request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let wanted = if method == "HEAD" { status } else { 404 };
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {wanted} ")),
                "{method} {path}: {answer}"
            );
        }
    }
    assert_eq!(out.logged("TRUE").await, 0);
    out.ends_well().await;
}

async fn a_packed_body_is_read(kind: Kind) {
    let out = out(kind).await;
    let packed = |body: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(body).unwrap();
        gzip.finish().unwrap()
    };
    // Small when compressed, too large when unpacked.
    let reply = post(&out.urls[0], &packed(&vec![b' '; 4 * 1024 * 1024 + 1])).await;
    assert_eq!(reply.status, 413);
    let body = json!({"phones": [{"personId": "found-0", "status": "inProgress"}]}).to_string();
    assert_eq!(post(&out.urls[0], &packed(body.as_bytes())).await.status, 200);
    assert_eq!(out.logged("outcome = 'malformed'").await, 0);
    out.ends_well().await;
}

async fn what_cannot_be_read_stops_the_spending_and_is_replayed(kind: Kind) {
    let out = out(kind).await;
    for _ in 0..3 {
        assert_eq!(post(&out.urls[0], b"<html>no").await.status, 422);
    }
    assert_eq!(out.logged("outcome = 'malformed'").await, 1, "a body is kept once");
    let reason = "SELECT gate_reason FROM provider_status WHERE provider = 'ocean'";
    assert_eq!(out.scene.db.text(reason).await, "unreadable_webhook");
    let more: Vec<Row> = (10..40).map(|n| Row::ocean(format!("found-{n}"))).collect();
    let second = out.scene.submit(&more, &[]).await.id;
    let awaiting = format!("SELECT awaiting FROM batch_status WHERE batch_id = '{second}'");
    // One small request is sent instead of ten.
    out.scene.until(&awaiting, "1").await;
    let status = out.scene.enqueue(&["status", &second, "--json"]).await.with_code(0).stdout;
    assert!(status.contains("can't be read"), "{status}");
    let replayed = out.scene.enqueue(&["replay", "--json"]).await.with_code(0).stdout;
    assert_eq!(replayed.trim(), r#"{"outcomes":{"malformed":1},"webhooks":1}"#);
    assert_eq!(out.scene.db.text(&awaiting).await, "1");
    out.scene.sandbox.release_webhooks();
    out.scene.until_finished().await;
    equals_expected(&out.scene, &second, &more, no_row).await;
    // Bodies that an older version could not read are applied by hand, and change no known result.
    let replayed = out.scene.enqueue(&["replay", "--outcome", "applied"]).await.with_code(0);
    assert!(replayed.stderr.contains("duplicate"), "{}", replayed.stderr);
    out.ends_well().await;
}

async fn too_large_and_wrong_bodies(kind: Kind) {
    let out = out(kind).await;
    let url = &out.urls[0];
    assert_eq!(post(url, &vec![b' '; 4 * 1024 * 1024 + 1]).await.status, 413);
    assert_eq!(out.logged("TRUE").await, 0);
    let wrong: [&[u8]; 6] =
        [b"", b"no json", b"{}", b"[]", b"{\"phones\": {}}", b"{\"phones\": [3]}"];
    for (n, body) in wrong.into_iter().enumerate() {
        assert_eq!(post(url, body).await.status, 422, "{}", String::from_utf8_lossy(body));
        assert_eq!(out.logged("outcome = 'malformed'").await, n as i64 + 1, "kept for inspection");
    }
    // A body of exactly the largest size is accepted, however odd it is.
    let mut large = br#"{"phones": [], "padding": ""#.to_vec();
    large.resize(4 * 1024 * 1024 - 2, b'x');
    large.extend_from_slice(b"\"}");
    assert_eq!(post(url, &large).await.status, 200);
    out.ends_well().await;
}

async fn slow_senders_do_not_hold_up_others(kind: Kind) {
    let out = out(kind).await;
    let path = out.urls[0].split_once(&out.worker.webhooks).unwrap().1;
    let half_head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-le");
    let half_body =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{\"phones");
    let mut slow = Vec::new();
    for n in 0..200 {
        let bytes = if n % 2 == 0 { &half_head } else { &half_body };
        slow.push(open(&out.worker.webhooks, bytes.as_bytes()).await.unwrap());
    }
    out.ends_well().await;
    drop(slow);
}

async fn unknown_people_and_replays_change_nothing(kind: Kind) {
    let out = out(kind).await;
    let (first, second) = (&out.urls[0], &out.urls[1]);
    let about = |ids: &[&str]| {
        let phones: Vec<_> =
            ids.iter().map(|id| json!({"personId": id, "status": "notFound"})).collect();
        json!({"phones": phones}).to_string().into_bytes()
    };
    assert_eq!(post(first, &about(&["found-3", "found-4", "nobody"])).await.status, 200);
    assert_eq!(post(second, &about(&["found-0"])).await.status, 200);
    let unknown = || out.logged("outcome = 'unknown_person'");
    eventually("both name nobody of theirs", || async { (unknown().await == 2).then_some(()) })
        .await;
    let open = "SELECT awaiting FROM batch_status";
    assert_eq!(out.scene.db.text(open).await, "6");
    // A status without a result is no result.
    let progress = json!({"phones": [{"personId": "found-0", "status": "inProgress"}]}).to_string();
    assert_eq!(post(first, progress.as_bytes()).await.status, 200);
    eventually("it is recorded", || async {
        (out.logged("outcome IS NULL").await == 0).then_some(())
    })
    .await;
    assert_eq!(out.scene.db.text(open).await, "6");
    out.ends_well().await;
}

async fn everything_at_once_comes_right(kind: Kind) {
    let mut config = Config::instant();
    for webhooks in [&mut config.ocean.webhooks, &mut config.clodura.webhooks] {
        webhooks.duplicated_rate = 0.5;
        webhooks.early_rate = 0.4;
        webhooks.out_of_order_rate = 0.3;
        webhooks.out_of_order_ms = 150;
        webhooks.shuffled_rate = 0.5;
        webhooks.extra_fields_rate = 0.5;
        webhooks.unknown_person_rate = 0.5;
        webhooks.in_progress_rate = 0.1;
        webhooks.in_progress_followup_ms = 100;
    }
    config.clodura.unknown_partner_rate = 0.5;
    let mut scene = Scene::new(kind, config).await;
    scene.set("OCEAN_BATCH_SIZE", "25");
    let mut rows: Vec<Row> = (0..300).map(|n| Row::ocean(format!("o{n}"))).collect();
    rows.extend((0..100).map(|n| Row::clodura(format!("c{n}"))));
    rows.extend((0..100).map(|n| Row::linkedin(&format!("l{n}"))));
    let batch = scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    scene.until_finished().await;
    assert!(scene.sandbox.wait_until_idle(LONG).await);
    scene.until("SELECT COUNT(*) FROM webhook_log WHERE outcome IS NULL", "0").await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    assert!(scene.db.int("SELECT COUNT(*) FROM webhook_log WHERE outcome = 'duplicate'").await > 0);
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
    assert_eq!(scene.charged_again(), 0);
}

async fn after_the_deadline_a_result_still_counts(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("RESULT_DEADLINE", "1s");
    scene.sandbox.hold_webhooks();
    let batch = scene.submit(&people(), &[]).await;
    let worker = scene.worker().start().await;
    scene.until("SELECT expired FROM batch_status", "6").await;
    scene.sandbox.release_webhooks();
    scene.until("SELECT found FROM batch_status", "6").await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.db.column("SELECT outcome FROM webhook_log").await, ["late"]);
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
    let reserved = "SELECT SUM(credits_reserved) FROM batch_status";
    assert_eq!(scene.db.int(reserved).await, 0);
}

/// Postgres can't store U+0000 in a text, and a paid result must not be lost because of one.
async fn a_nul_in_what_a_provider_says_loses_nothing(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    let tap = Proxy::start(scene.sandbox.local_addr().to_string()).await;
    scene.set("OCEAN_BASE_URL", format!("http://{}", tap.address));
    let taken = json!({"trackingId": "t\u{0}1"});
    let taken = ScriptedResponse { accept: true, ..ScriptedResponse::new(200, taken) };
    scene.sandbox.script(Endpoint::CloduraReveal, vec![taken]);
    scene.sandbox.hold_webhooks();
    let batch = scene.submit(&[Row::ocean("found-0"), Row::clodura("found-c")], &[]).await.id;
    let worker = scene.worker().start().await;
    scene.until("SELECT awaiting FROM batch_status", "2").await;
    let tracking_id = "SELECT tracking_id FROM row_status WHERE provider = 'clodura'";
    assert_eq!(scene.db.text(tracking_id).await, "t\u{fffd}1");

    let numbers = json!(["+45 12 34\u{0} 56 78", "0170\u{0}1234567"]);
    let person = json!({"personId": "found-0", "status": "verified", "numbers": numbers});
    let body = json!({"phones": [person], "un\u{0}known": "\u{0}"}).to_string();
    assert!(body.contains("un\\u0000known"));
    assert_eq!(post(&tap.orders()[0].1, body.as_bytes()).await.status, 200);
    scene.until("SELECT state FROM row_status WHERE provider = 'ocean'", "found").await;
    let shown = exported(&scene, &batch).await;
    assert_eq!(shown[0]["reveal_phones"], "+4512345678;0170\u{fffd}1234567");
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    books_are_closed(&scene).await;
}

async fn a_webhook_that_can_t_be_applied_holds_up_no_other(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("OCEAN_BATCH_SIZE", "1");
    scene.enqueue(&["migrate"]).await.with_code(0);
    // The index refuses the second person with two numbers.
    scene.db.rows("CREATE UNIQUE INDEX only_once ON phones (position) WHERE position = 1").await;
    scene.sandbox.hold_webhooks();
    let ids = ["many-1", "many-2", "found-3", "found-4", "found-5", "none-6"];
    let rows = ids.map(Row::ocean);
    let batch = scene.submit(&rows, &[]).await.id;
    let worker = scene.worker().start().await;
    scene.until("SELECT awaiting FROM batch_status", "6").await;
    scene.sandbox.release_webhooks();
    scene
        .until("SELECT found || ' ' || not_found || ' ' || awaiting FROM batch_status", "4 1 1")
        .await;
    let put_off = "SELECT COUNT(*) FROM webhook_log WHERE failures > 1 AND retry_at IS NOT NULL";
    scene.until(put_off, "1").await;
    assert!(scene.log().contains("a webhook can't be applied; it is kept"));
    scene.db.rows("DROP INDEX only_once").await;
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch, &rows, no_row).await;
    books_are_closed(&scene).await;
}
