//! A newer version migrates the database while workers of this version go on. Its migration uses every kind of change that
//! migrations may make.

use end_to_end::{Kind, LONG, Row, Scene};
use sandbox::Config;

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(old_workers_finish_on_a_newer_schema);

/// No migration of this version has this number.
const NEWER: &str = "9001";

async fn old_workers_finish_on_a_newer_schema(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let slow = || scene.worker().set("CLODURA_RATE", "40/s");
    let one = slow().start().await;
    let other = slow().elsewhere().start().await;
    // The usual statements run first, so that they are prepared for the older schema.
    scene.submit(&people("before", 20), &[]).await;
    scene.until_finished().await;
    // While webhooks are held back, the migration can't come after the end of the work. Requests to Clodura go on meanwhile.
    scene.sandbox.hold_webhooks();
    let mut rows = people("across", 300);
    rows.extend((0..200).map(|n| Row::clodura(format!("c-alone-{n}"))));
    let batch = scene.submit(&rows, &[]).await;
    scene
        .until(
            "SELECT CASE WHEN awaiting > 50 THEN 1 ELSE 0 END FROM batch_status WHERE total = 500",
            "1",
        )
        .await;

    migrate(&scene).await;
    let open = "SELECT COUNT(*) FROM row_status WHERE state IN ('queued', 'sending', 'awaiting', 'retrying')";
    assert!(scene.db.int(open).await > 50, "{}", scene.describe().await);
    for ended in [
        scene.enqueue(&["status"]).await,
        scene.enqueue(&["migrate"]).await,
        scene.worker().elsewhere().spawn().ended(LONG).await,
    ] {
        let said = ended.with_code(1).stderr;
        assert!(said.contains("has the schema of a newer version (migration 9001)"), "{said}");
    }

    scene.sandbox.release_webhooks();
    scene.until_finished().await;
    for worker in [one, other] {
        worker.stop().await.with_code(0);
    }
    assert!(!scene.log().contains(" ERROR "), "{}", scene.log());
    scene.db.rows(&format!("DELETE FROM _sqlx_migrations WHERE version = {NEWER}")).await;
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.charged_again(), 0);
}

fn people(name: &str, count: u32) -> Vec<Row> {
    (0..count).map(|n| Row::both(format!("o-{name}-{n}"), format!("c-{name}-{n}"))).collect()
}

/// Adds a column to every table and at the end of every view, an index on it, and a new table. On Postgres each change is
/// a separate transaction: one that changes many tables may meet a deadlock, which `crates/db` has tests for.
async fn migrate(scene: &Scene) {
    let db = &scene.db;
    let (tables, views) = match db.kind {
        Kind::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
            "SELECT name, substr(sql, instr(upper(sql), ' AS') + 3) FROM sqlite_master WHERE type = 'view'",
        ),
        Kind::Postgres => (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
            "SELECT viewname, rtrim(definition, ';') FROM pg_views WHERE schemaname = 'public'",
        ),
    };
    let (tables, views) = (db.column(tables).await, db.rows(views).await);
    assert!(tables.len() > 10 && views.len() > 5, "{tables:?} {views:?}");
    let mut changes = vec!["CREATE TABLE later_things (id BIGINT PRIMARY KEY)".to_owned()];
    for table in tables {
        changes.push(format!(
            "ALTER TABLE {table} ADD COLUMN later BIGINT NOT NULL DEFAULT 0;
             CREATE INDEX {table}_later ON {table} (later)"
        ));
    }
    for view in views {
        let (name, query) = (&view[0], &view[1]);
        let replace = match db.kind {
            Kind::Sqlite => format!("DROP VIEW {name}; CREATE VIEW {name} AS"),
            Kind::Postgres => format!("CREATE OR REPLACE VIEW {name} AS"),
        };
        changes.push(format!("{replace} SELECT before.*, 0 AS later FROM ({query}) AS before"));
    }
    changes.push(format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ({NEWER}, 'later', TRUE, {}, 0)",
        if db.kind == Kind::Sqlite { "x'00'" } else { "'x'" },
    ));
    let transactions = match db.kind {
        Kind::Sqlite => vec![changes.join(";")],
        Kind::Postgres => changes,
    };
    for change in transactions {
        db.rows(&format!("BEGIN; {change}; COMMIT")).await;
    }
}
