use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::migrate;
use crate::postgres::scratch::Scratch;

fn migrator(statements: &[&'static str]) -> Migrator {
    let migration = |(number, sql): (i64, &&'static str)| {
        let sql = AssertSqlSafe(*sql).into_sql_str();
        Migration::new(number, "later".into(), MigrationType::Simple, sql, false)
    };
    let all: Vec<Migration> = (1..).zip(statements).map(migration).collect();
    Migrator { migrations: Cow::Owned(all), ..Migrator::DEFAULT }
}

/// Beside a process that stays in a transaction, the migration waits and all others work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_lets_others_read_and_write() {
    let scratch = Scratch::create().await;
    let (mut stays, mut works) = (scratch.connect().await, scratch.connect().await);
    run(&mut works, "CREATE TABLE people (id BIGINT PRIMARY KEY, age BIGINT)").await;
    run(&mut stays, "BEGIN; SELECT COUNT(*) FROM people").await;
    let options = scratch.options();
    let migrating = tokio::spawn(async move {
        migrate(&options, &migrator(&["ALTER TABLE people ADD COLUMN height BIGINT"])).await
    });
    let waits = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until(&scratch, waits).await;
    let others = run(&mut works, "INSERT INTO people (id, age) VALUES (1, 30)");
    tokio::time::timeout(Duration::from_secs(30), others).await.expect("goes first");
    assert!(!migrating.is_finished());
    run(&mut stays, "COMMIT").await;
    migrating.await.unwrap().unwrap();
    run(&mut works, "UPDATE people SET height = 180").await;
    scratch.drop_it().await;
}

/// Others lock the same tables in another order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_with_others_is_tried_again() {
    let scratch = Scratch::create().await;
    let mut other = scratch.connect().await;
    run(&mut other, "CREATE TABLE one (id BIGINT); CREATE TABLE two (id BIGINT)").await;
    run(&mut other, "BEGIN; LOCK TABLE two IN ROW EXCLUSIVE MODE").await;
    let options = scratch.options();
    let migrating = tokio::spawn(async move {
        let both = "ALTER TABLE one ADD COLUMN a BIGINT; ALTER TABLE two ADD COLUMN a BIGINT";
        migrate(&options, &migrator(&[both])).await
    });
    let waits =
        "SELECT CAST(COUNT(*) AS TEXT) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
         WHERE NOT l.granted AND c.relname = 'two'
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until(&scratch, waits).await;
    run(&mut other, "LOCK TABLE one IN ROW EXCLUSIVE MODE; COMMIT").await;
    migrating.await.unwrap().unwrap();
    run(&mut other, "INSERT INTO two (id, a) VALUES (1, 2)").await;
    scratch.drop_it().await;
}

/// Waits until a count is no longer 0.
async fn until(scratch: &Scratch, count: &'static str) {
    let waiting = async {
        while scratch.text(count).await == "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the migration waits");
}

async fn run(conn: &mut sqlx::PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(conn).await.unwrap();
}
