//! How the programs end: exit codes, and one line that says what to do.

use std::process::Command;

use end_to_end::{Ended, Kind, LONG, Process, Row, Scene, binary, repository};
use sandbox::{Config, Provider};

use crate::checks::{equals_expected, exported, no_row};

on_both!(
    what_waiting_cant_end_is_exit_code_4,
    idle_is_exit_code_0,
    made_up_numbers_never_mix_with_bought_ones,
    ready_queries_run_unchanged,
);

fn ten() -> Vec<Row> {
    (0..10).map(|n| Row::ocean(format!("found-{n}"))).collect()
}

async fn stuck(scene: &Scene, ended: Ended, says: &[&str]) {
    let ended = ended.with_code(4);
    for word in says {
        assert!(ended.stderr.contains(word), "no {word:?} in\n{}", ended.stderr);
    }
    let held = "SELECT SUM(held) FROM batch_status";
    assert!(scene.db.int(held).await > 0, "{}", scene.describe().await);
    let status = scene.enqueue(&["status", "--json"]).await.with_code(0).stdout;
    assert!(status.contains("held_up_by"), "{status}");
}

async fn what_waiting_cant_end_is_exit_code_4(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    scene.submit(&ten(), &[]).await;
    let ended = scene.worker().without("OCEAN_API_TOKEN").until_idle().await;
    stuck(&scene, ended, &["ocean: 10 rows held", "OCEAN_API_TOKEN"]).await;
    let ended = scene.worker().without("WEBHOOK_PUBLIC_URL").until_idle().await;
    stuck(&scene, ended, &["ocean: 10 rows held", "WEBHOOK_PUBLIC_URL"]).await;

    scene.enqueue(&["pause", "ocean"]).await.with_code(0);
    let ended = scene.worker().until_idle().await;
    stuck(&scene, ended, &["paused", "enqueue resume ocean"]).await;
    scene.enqueue(&["resume", "ocean"]).await.with_code(0);
    scene.worker().until_idle().await.with_code(0);

    let mut wrong_key = Config::instant();
    wrong_key.ocean.keys = vec!["another key".into()];
    let scene = Scene::new(kind, wrong_key).await;
    scene.submit(&ten(), &[]).await;
    let ended = scene.worker().until_idle().await;
    stuck(&scene, ended, &["misconfigured", "Current API token is not registered"]).await;

    let mut empty = Config::instant();
    (empty.ocean.one_time, empty.ocean.recurrent) = (0, 0);
    let scene = Scene::new(kind, empty).await;
    scene.submit(&ten(), &[]).await;
    let ended = scene.worker().until_idle().await;
    stuck(&scene, ended, &["too few credits"]).await;
    assert_eq!(scene.sandbox.stats().ocean.accepted_requests, 0);

    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("OCEAN_CREDITS_PER_PERSON", "1");
    scene.submit(&ten(), &["--max-credits", "ocean=4"]).await;
    let ended = scene.worker().until_idle().await;
    stuck(&scene, ended, &["6 rows held", "ceiling of 4 credits", "enqueue resume --batch"]).await;
    assert_eq!(scene.charged(Provider::Ocean), 4);
}

async fn idle_is_exit_code_0(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    scene.worker().until_idle().await.with_code(0);
    scene.worker().arg("--no-such-flag").spawn().ended(LONG).await.with_code(2);
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let ended = scene.worker().set("DATABASE_URL", nowhere).spawn().ended(LONG).await;
    assert!(ended.with_code(1).stderr.contains("worker: "));
    let ended = scene.worker().set("DATABASE_URL", "mysql://x").spawn().ended(LONG).await;
    assert!(ended.with_code(2).stderr.contains("postgres://USER:PASSWORD@HOST/NAME"));
    // An error about a port in use names the setting.
    let first = scene.worker().start().await;
    let ended = scene.worker().spawn().ended(LONG).await.with_code(1);
    assert!(ended.stderr.contains("LISTEN_ADDR"), "{}", ended.stderr);
    first.stop().await.with_code(0);
}

async fn made_up_numbers_never_mix_with_bought_ones(kind: Kind) {
    let config = Config::instant();
    let scene = Scene::new(kind, config.clone()).await;
    let path = scene.directory.path().join("sandbox.json");
    let json = r#"{"ocean": {"result_delay_ms": [0, 0]}, "clodura": {"result_delay_ms": [0, 0]}}"#;
    std::fs::write(&path, json).unwrap();
    let rows: Vec<Row> = (0..20).map(|n| Row::ocean(format!("o{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    let bundled = || {
        let setup = scene.worker().without("OCEAN_API_TOKEN").without("CLODURA_API_KEY");
        setup.set("SANDBOX_CONFIG", path.to_str().unwrap()).arg("--sandbox")
    };
    bundled().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    assert_eq!(scene.sandbox.stats().ocean.requests, 0, "it uses its own");
    let ended = scene.worker().until_idle().await.with_code(2);
    assert!(ended.stderr.contains("stamped sandbox"), "{}", ended.stderr);

    let live = Scene::new(kind, config).await;
    live.worker().until_idle().await.with_code(0);
    let ended = live.worker().arg("--sandbox").until_idle().await.with_code(2);
    assert!(ended.stderr.contains("stamped live"), "{}", ended.stderr);
}

async fn ready_queries_run_unchanged(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let rows: Vec<Row> = (0..20).map(|n| Row::both(format!("o{n}"), format!("c{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    scene.submit(&[Row::ocean("bad-1"), Row::ocean("stuck-1")], &[]).await;
    let worker = scene.worker().start().await;
    scene
        .until(
            "SELECT COUNT(*) FROM row_status WHERE state NOT IN ('found','not_found','failed')",
            "1",
        )
        .await;
    let scripts = repository().join("scripts/status");
    let mut count = 0;
    for entry in std::fs::read_dir(scripts).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let mut command = match kind {
            Kind::Sqlite => {
                let mut command = Command::new("sqlite3");
                command.args(["-bail", scene.db.file()]).arg(format!(".read {}", path.display()));
                command
            }
            Kind::Postgres => {
                let mut command = Command::new("psql");
                command.args(["-v", "ON_ERROR_STOP=1", &scene.db.url, "-f"]).arg(&path);
                command
            }
        };
        command.env("PAGER", "cat");
        let ended = Process::start(command, None).ended(LONG).await.with_code(0);
        assert!(ended.stderr.is_empty(), "{}: {}", path.display(), ended.stderr);
        assert!(!ended.stdout.is_empty(), "{} said nothing", path.display());
        count += 1;
    }
    assert!(count >= 5, "{count} queries");
    worker.stop().await.with_code(0);
    assert_eq!(exported(&scene, &batch.id).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_healthcheck_reports_whether_a_worker_answers() {
    let scene = Scene::new(Kind::Sqlite, Config::instant()).await;
    let worker = scene.worker().start().await;
    let admin = worker.admin.clone();
    let healthcheck = || {
        let mut command = Command::new(binary("worker"));
        command.args(["healthcheck", "--admin-addr", &admin]);
        Process::start(command, None)
    };
    healthcheck().ended(LONG).await.with_code(0);
    worker.stop().await.with_code(0);
    let said = healthcheck().ended(LONG).await.with_code(1).stderr;
    assert!(said.starts_with("worker healthcheck: "), "{said}");
}
