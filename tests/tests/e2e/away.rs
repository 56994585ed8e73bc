//! A database that is away, locked or full, and workers that are gone: nothing is lost, and the rest
//! goes on.

use std::process::Command;
use std::time::Duration;

use end_to_end::{Kind, LONG, Proxy, Row, Scene, Worker, binary, eventually, open};
use sandbox::{Config, Endpoint, ScriptedResponse};
use sqlx::{Connection, SqliteConnection};

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(
    webhooks_are_spooled_while_the_database_is_away,
    a_body_is_kept_although_its_sender_has_left,
    a_database_that_is_away_for_some_seconds_is_waited_for,
    a_dead_worker_s_calls_are_taken_over,
    a_worker_that_was_stopped_does_not_overrule,
);

fn people() -> Vec<Row> {
    let mut rows: Vec<Row> = (0..20).map(|n| Row::ocean(format!("o{n}"))).collect();
    rows.extend((0..5).map(|n| Row::clodura(format!("c{n}"))));
    rows
}

fn patient() -> Config {
    let mut config = Config::instant();
    config.delivery.attempts = 1_000;
    config.delivery.retry_delay_ms = 50;
    config
}

/// The means that takes the database away from the workers.
enum Away {
    Locked(Option<SqliteConnection>),
    Cut(Proxy),
}

impl Away {
    /// Must run before the workers start.
    async fn prepare(scene: &mut Scene) -> Away {
        if scene.db.kind == Kind::Sqlite {
            return Away::Locked(None);
        }
        let (rest, name) = scene.db.url.rsplit_once('/').unwrap();
        let (user, address) = rest.rsplit_once('@').unwrap();
        let wire = Proxy::start(address.to_owned()).await;
        let url = format!("{user}@{}/{name}", wire.address);
        scene.set("DATABASE_URL", url);
        Away::Cut(wire)
    }

    async fn begin(&mut self, scene: &Scene) {
        match self {
            Away::Cut(wire) => wire.cut(),
            Away::Locked(lock) => {
                let mut connection = SqliteConnection::connect(&scene.db.url).await.unwrap();
                sqlx::raw_sql("PRAGMA busy_timeout = 20000; BEGIN EXCLUSIVE;")
                    .execute(&mut connection)
                    .await
                    .unwrap();
                *lock = Some(connection);
            }
        }
    }

    async fn end(&mut self) {
        match self {
            Away::Cut(wire) => wire.restore(),
            Away::Locked(lock) => lock.take().unwrap().close().await.unwrap(),
        }
    }
}

fn spooled(scene: &Scene) -> usize {
    let Ok(files) = std::fs::read_dir(scene.setting("SPOOL_DIR")) else { return 0 };
    files
        .filter(|file| {
            file.as_ref().is_ok_and(|f| f.path().extension().is_some_and(|e| e == "json"))
        })
        .count()
}

async fn webhooks_are_spooled_while_the_database_is_away(kind: Kind) {
    let mut scene = Scene::new(kind, patient()).await;
    let mut away = Away::prepare(&mut scene).await;
    let batch = scene.submit(&people(), &[]).await;
    scene.sandbox.hold_webhooks();
    let mut worker = scene.worker().start().await;
    scene.until("SELECT awaiting FROM batch_status", "25").await;
    away.begin(&scene).await;
    scene.sandbox.release_webhooks();
    // Every webhook is answered with 200, and is on disk.
    assert!(scene.sandbox.wait_until_idle(LONG).await);
    assert_eq!(spooled(&scene), 6);
    worker.process.kill();
    away.end().await;
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(spooled(&scene), 0);
}

async fn a_body_is_kept_although_its_sender_has_left(kind: Kind) {
    let mut scene = Scene::new(kind, patient()).await;
    let mut away = Away::prepare(&mut scene).await;
    let tap = Proxy::start(scene.sandbox.local_addr().to_string()).await;
    scene.set("OCEAN_BASE_URL", format!("http://{}", tap.address));
    scene.sandbox.hold_webhooks();
    let people = &people()[..3];
    let batch = scene.submit(people, &[]).await;
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.held == 1).await);
    scene.until("SELECT awaiting FROM batch_status", "3").await;
    let url = tap.orders().remove(0).1;
    let path = url.split_once(&worker.webhooks).unwrap().1;
    let body = r#"{"phones": [{"personId": "o0", "status": "inProgress"}]}"#;
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    away.begin(&scene).await;
    drop(open(&worker.webhooks, request.as_bytes()).await.unwrap());
    eventually("a body in the spool", || async { (spooled(&scene) == 1).then_some(()) }).await;
    away.end().await;
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    eventually("an empty spool", || async { (spooled(&scene) == 0).then_some(()) }).await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, people, no_row).await;
}

async fn a_database_that_is_away_for_some_seconds_is_waited_for(kind: Kind) {
    let mut scene = Scene::new(kind, patient()).await;
    let mut away = Away::prepare(&mut scene).await;
    let batch = scene.submit(&people(), &[]).await;
    let slow = ScriptedResponse { accept: true, delay_ms: 800, ..ScriptedResponse::new(200, "") };
    scene.sandbox.script(Endpoint::OceanReveal, vec![slow.clone()]);
    scene.sandbox.script(Endpoint::CloduraReveal, vec![ScriptedResponse { times: 5, ..slow }]);
    let worker = scene.worker().start().await;
    let all = |s: &sandbox::Stats| s.ocean.accepted_requests + s.clodura.accepted_requests == 6;
    assert!(scene.sandbox.wait_for(LONG, all).await);
    away.begin(&scene).await;
    // Long enough for answers and webhooks to meet a database that is not there.
    tokio::time::sleep(Duration::from_secs(3)).await;
    away.end().await;
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    let stats = scene.sandbox.stats();
    assert_eq!((stats.ocean.people_asked_again, stats.clodura.people_asked_again), (0, 0));
}

/// Starts two workers; the first one has requests out that are never answered.
async fn two_workers(kind: Kind) -> (Scene, String, Worker, Worker) {
    let mut scene = Scene::new(kind, patient()).await;
    scene.set("HEARTBEAT_TIMEOUT", "1s");
    let slow = ScriptedResponse { accept: true, delay_ms: 4_000, ..ScriptedResponse::new(200, "") };
    scene.sandbox.script(Endpoint::OceanReveal, vec![slow.clone()]);
    scene.sandbox.script(Endpoint::CloduraReveal, vec![ScriptedResponse { times: 5, ..slow }]);
    scene.sandbox.hold_webhooks();
    let batch = scene.submit(&people(), &[]).await;
    let first = scene.worker().start().await;
    let all = |s: &sandbox::Stats| s.ocean.accepted_requests + s.clodura.accepted_requests == 6;
    assert!(scene.sandbox.wait_for(LONG, all).await);
    let second = scene.worker().elsewhere().start().await;
    (scene, batch.id, first, second)
}

const GONE: &str = "SELECT COUNT(*) FROM call_log WHERE outcome = 'unknown: its worker is gone'";

async fn a_dead_worker_s_calls_are_taken_over(kind: Kind) {
    let (scene, batch, mut first, second) = two_workers(kind).await;
    first.process.kill();
    scene.until(GONE, "6").await;
    // Their webhooks go to an address at which the next worker listens.
    let third = scene.worker().start().await;
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    equals_expected(&scene, &batch, &people(), no_row).await;
    books_are_closed(&scene).await;
    second.stop().await.with_code(0);
    third.stop().await.with_code(0);
    assert_eq!(scene.sandbox.stats().ocean.people_asked_again, 0);
}

/// Stops a worker at a moment at which it doesn't hold the SQLite lock. A stopped process keeps the lock.
async fn stop_outside_of_a_write(scene: &Scene, worker: &Worker) {
    loop {
        worker.process.signal("STOP");
        if scene.db.kind == Kind::Postgres {
            return;
        }
        let mut connection = SqliteConnection::connect(&scene.db.url).await.unwrap();
        let free = "PRAGMA busy_timeout = 1000; BEGIN IMMEDIATE; ROLLBACK;";
        if sqlx::raw_sql(free).execute(&mut connection).await.is_ok() {
            return;
        }
        worker.process.signal("CONT");
    }
}

async fn a_worker_that_was_stopped_does_not_overrule(kind: Kind) {
    let (scene, batch, first, second) = two_workers(kind).await;
    stop_outside_of_a_write(&scene, &first).await;
    scene.until(GONE, "6").await;
    first.process.signal("CONT");
    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    equals_expected(&scene, &batch, &people(), no_row).await;
    first.stop().await.with_code(0);
    second.stop().await.with_code(0);
    books_are_closed(&scene).await;
    let stats = scene.sandbox.stats();
    assert_eq!((stats.ocean.people_asked_again, stats.clodura.people_asked_again), (0, 0));
}

/// The people of a claim whose commit succeeded without an answer are sent, once, and not left to expire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_commit_is_not_answered_is_sent() {
    let mut scene = Scene::new(Kind::Postgres, patient()).await;
    let Away::Cut(wire) = Away::prepare(&mut scene).await else { return };
    wire.swallow_the_next_claim_s_commit();
    let batch = scene.submit(&people(), &[]).await;
    let worker = scene.worker().start().await;
    scene.until_finished().await;
    assert!(wire.has_swallowed());
    worker.stop().await.with_code(0);
    equals_expected(&scene, &batch.id, &people(), no_row).await;
    books_are_closed(&scene).await;
    assert!(scene.log().contains("a claim was committed although its commit was not answered"));
    let stats = scene.sandbox.stats();
    assert_eq!((stats.ocean.people_asked_again, stats.clodura.people_asked_again), (0, 0));
}

/// However long the database is unavailable, a worker stops when it gets SIGTERM.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stops_in_time_although_the_database_is_away() {
    let mut scene = Scene::new(Kind::Postgres, patient()).await;
    scene.set("SHUTDOWN_TIMEOUT", "5s");
    let mut away = Away::prepare(&mut scene).await;
    scene.submit(&people(), &[]).await;
    let slow = ScriptedResponse { accept: true, delay_ms: 800, ..ScriptedResponse::new(200, "") };
    scene.sandbox.script(Endpoint::OceanReveal, vec![slow.clone()]);
    scene.sandbox.script(Endpoint::CloduraReveal, vec![ScriptedResponse { times: 5, ..slow }]);
    let worker = scene.worker().start().await;
    let all = |s: &sandbox::Stats| s.ocean.accepted_requests + s.clodura.accepted_requests == 6;
    assert!(scene.sandbox.wait_for(LONG, all).await);
    away.begin(&scene).await;
    let signalled = std::time::Instant::now();
    worker.stop().await.with_code(0);
    let took = signalled.elapsed();
    assert!(took < Duration::from_millis(5_500), "{took:?}");
}

/// No file of the worker's may grow past a size, as on a disk that is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_says_so_and_recovers() {
    let mut scene = Scene::new(Kind::Sqlite, patient()).await;
    scene.set("OCEAN_BATCH_SIZE", "20");
    let rows: Vec<Row> = (0..4_000).map(|n| Row::ocean(format!("o{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    let size = |end: &str| {
        std::fs::metadata(format!("{}{end}", scene.db.file())).map_or(0, |file| file.len())
    };
    let size = size("").max(size("-wal")) + 1_000_000;
    let mut command = Command::new("sh");
    // In units of 512 bytes. A process that ignores SIGXFSZ gets a write error, as on a full disk.
    let limit = size / 512;
    let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\"");
    command.args(["-c", &script]).arg(binary("worker"));
    let mut full = scene.start_in(command);
    let log = full.stderr();
    eventually("it says what is wrong", || {
        let text = log.text();
        let said = text.contains("full") || text.contains("disk I/O error");
        async move { said.then_some(()) }
    })
    .await;
    assert!(full.exit_status().is_none(), "it keeps trying\n{}", log.text());
    full.kill();
    scene.worker().set("RESULT_DEADLINE", "20s").until_idle().await.with_code(0);
    let excused = |_: &Row, state: &str| state == "expired";
    let tally = equals_expected(&scene, &batch.id, &rows, excused).await;
    println!("{tally:?}");
    assert_eq!(scene.sandbox.stats().ocean.people_asked_again, 0);
    books_are_closed(&scene).await;
}
