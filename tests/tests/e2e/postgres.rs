//! Postgres as users run it: behind a pooler, and with a role that owns its database and nothing else.

use end_to_end::{Kind, PgBouncer, Row, Scene, binary};
use sandbox::Config;
use sqlx::{Connection, PgConnection};

use crate::checks::{books_are_closed, equals_expected, no_row};

fn people() -> Vec<Row> {
    (0..300).map(|n| Row::both(format!("o{n}"), format!("c{n}"))).collect()
}

/// Checks that everything works, from the schema to the export.
async fn works(scene: &Scene) {
    scene.enqueue(&["migrate"]).await.with_code(0);
    let rows = people();
    let batch = scene.submit(&rows, &[]).await;
    // Another process than the worker submits: a notification announces the batch to the worker.
    let worker = scene.worker().start().await;
    let later: Vec<Row> = (0..5).map(|n| Row::ocean(format!("later{n}"))).collect();
    let second = scene.submit(&later, &[]).await;
    scene.until_finished().await;
    worker.stop().await.with_code(0);
    equals_expected(scene, &batch.id, &rows, no_row).await;
    equals_expected(scene, &second.id, &later, no_row).await;
    books_are_closed(scene).await;
    assert_eq!(scene.charged_again(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_behind_pgbouncer_that_keeps_sessions() {
    let mut scene = Scene::new(Kind::Postgres, Config::instant()).await;
    let bouncer = PgBouncer::start(&scene.db.url, "session", 60).await;
    scene.set("DATABASE_URL", bouncer.url(&scene.db.url));
    works(&scene).await;
    bouncer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_pgbouncer_that_shares_sessions() {
    for mode in ["transaction", "statement"] {
        let mut scene = Scene::new(Kind::Postgres, Config::instant()).await;
        let bouncer = PgBouncer::start(&scene.db.url, mode, 60).await;
        scene.set("DATABASE_URL", bouncer.url(&scene.db.url));
        for _ in 0..5 {
            let said = scene.enqueue(&["migrate"]).await.with_code(1).stderr;
            let names = ["PgBouncer", "pool_mode = session", "DATABASE_URL"];
            assert!(names.iter().all(|name| said.contains(name)), "{mode}: {said}");
        }
        let said = scene.worker().until_idle().await.with_code(1).stderr;
        assert!(said.contains("pool_mode = session"), "{mode}: {said}");
        assert_eq!(
            scene.db.int("SELECT COUNT(*) FROM pg_tables WHERE tablename = 'calls'").await,
            0
        );
        bouncer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_that_pgbouncer_has_too_few_sessions() {
    let mut scene = Scene::new(Kind::Postgres, Config::instant()).await;
    let bouncer = PgBouncer::start(&scene.db.url, "session", 1).await;
    scene.set("DATABASE_URL", bouncer.url(&scene.db.url));
    let said = scene.enqueue(&["migrate"]).await.with_code(1).stderr;
    assert!(said.contains("default_pool_size"), "{said}");
    bouncer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_as_a_role_that_owns_its_database_and_nothing_else() {
    let mut scene = Scene::new(Kind::Postgres, Config::instant()).await;
    let url = scene.db.own_role().await;
    scene.set("DATABASE_URL", url);
    works(&scene).await;
    let superuser = "SELECT COUNT(*) FROM pg_roles r JOIN pg_tables t ON t.tableowner = r.rolname
        WHERE t.tablename = 'calls' AND r.rolsuper";
    assert_eq!(scene.db.int(superuser).await, 0, "the schema is the role's own");
}

/// The output of `worker doctor` on the scene's database.
async fn doctor(scene: &Scene) -> String {
    let mut command = tokio::process::Command::new(binary("worker"));
    command.args(["doctor", "--sandbox", "--json"]).env("DATABASE_URL", &scene.db.url);
    let output = command.current_dir(scene.directory.path()).output().await.expect("a doctor");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_notices_a_transaction_that_stays_open() {
    const WARNING: &str = "old versions of two rows";
    let scene = Scene::new(Kind::Postgres, Config::instant()).await;
    scene.enqueue(&["migrate"]).await.with_code(0);
    let mut reader = PgConnection::connect(&scene.db.url).await.expect("a connection");
    let read = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT COUNT(*) FROM batches";
    sqlx::raw_sql(read).execute(&mut reader).await.expect("a transaction");
    assert!(!doctor(&scene).await.contains(WARNING));
    let update = "DO $$ BEGIN FOR n IN 1..1100 LOOP
        UPDATE provider_gates SET requests_today = requests_today; END LOOP; END $$";
    scene.db.rows(update).await;
    let counted = "SELECT CASE WHEN n_dead_tup > 2000 THEN 1 ELSE 0 END FROM pg_stat_user_tables
        WHERE relname = 'provider_gates'";
    scene.until(counted, "1").await;
    let found = doctor(&scene).await;
    assert!(found.contains(WARNING) && found.contains("pg_stat_activity"), "{found}");
    reader.close().await.expect("closed");
}
