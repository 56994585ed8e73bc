//! Rows that nearly every transaction updates are found past the versions that Postgres keeps for an old transaction.

use jobs::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::gates::gate::this_gate;
use crate::reveals::counters::write::{from_newest, newest};
use crate::store::Store;

/// The updates of each row. Each leaves a version: about 40 fit a page.
const UPDATES: i64 = 4_000;

/// The most pages that a look may read. The index takes a few of them, the versions of one epoch take two or three.
const MOST_PAGES: i64 = 25;

#[tokio::test]
async fn old_versions_are_passed_over() {
    let server = std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL names a server");
    let name = format!("versions_{:016x}", rand::random::<u64>());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    run(&mut admin, format!("CREATE DATABASE {name}")).await;
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    Store::connect(&url, true, Clock::system()).await.unwrap().close().await;

    let mut conn = PgConnection::connect(&url).await.unwrap();
    let batch = "INSERT INTO batches (batch_id, created_at, loader_seen_at) VALUES ('B', 0, 0);
                 INSERT INTO batch_totals (batch_id, provider) SELECT id, 'ocean' FROM batches";
    run(&mut conn, batch.to_owned()).await;
    let mut reader = PgConnection::connect(&url).await.unwrap();
    let old = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT COUNT(*) FROM batches";
    run(&mut reader, old.to_owned()).await;
    for table in ["provider_gates", "batch_totals"] {
        let update = format!("UPDATE {table} SET updates = updates + 1 WHERE provider = 'ocean'");
        let all = format!("DO $$ BEGIN FOR n IN 1..{UPDATES} LOOP {update}; END LOOP; END $$");
        run(&mut conn, all).await;
    }
    run(&mut conn, "SET enable_seqscan = off".to_owned()).await;

    let gate = concat!("SELECT updates FROM provider_gates WHERE ", this_gate!());
    let every_version = "SELECT updates FROM provider_gates WHERE provider = $1";
    let counts = concat!(
        "SELECT t.updates FROM batches b LEFT JOIN batch_totals t
            ON t.batch_id = b.id AND t.provider = $1 AND t.epoch >= ",
        newest!(),
        " WHERE b.finished_at IS NULL"
    );
    let value = concat!("SELECT (SELECT t.updates ", from_newest!(), ") FROM batches b");
    assert!(pages(&mut conn, every_version).await > MOST_PAGES, "no old versions were kept");
    for look in [gate, counts, value] {
        let pages = pages(&mut conn, look).await;
        assert!(pages <= MOST_PAGES, "{pages} pages for {look}");
    }

    conn.close().await.unwrap();
    reader.close().await.unwrap();
    run(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

/// The pages that a look reads, those of indexes included.
async fn pages(conn: &mut PgConnection, look: &str) -> i64 {
    let look = look.replace("$1", "'ocean'");
    let explain = AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS) {look}"));
    let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(conn).await.unwrap();
    // The first line counts all of them: "Buffers: shared hit=12 read=3".
    let all = plan.iter().find(|line| line.contains("Buffers: shared")).unwrap();
    let counts = all.split_whitespace().filter_map(|word| word.split_once('='));
    counts
        .filter(|(what, _)| matches!(*what, "hit" | "read"))
        .map(|(_, count)| count.parse::<i64>().unwrap())
        .sum()
}

async fn run(conn: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
}
