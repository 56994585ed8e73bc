use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{may_fall_back, parse};
use crate::conn::Conn;
use crate::database::Database;
use crate::error::Result;
use crate::postgres::scratch::Scratch;

/// The time-outs of a connection that writes.
async fn timeouts(db: &Database) -> String {
    let set = db.write(|conn| {
        Box::pin(async move {
            conn.fetch_value(
                "SELECT current_setting('idle_in_transaction_session_timeout') || ' ' ||
                 current_setting('statement_timeout') || ' ' || current_setting('tcp_keepalives_idle')",
                &[],
            )
            .await
        })
    });
    set.await.unwrap()
}

/// Changes the one row of the table, and so locks it.
async fn change(conn: &mut Conn) -> Result<u64> {
    conn.execute("UPDATE people SET age = age + 1 WHERE id = 1", &[]).await
}

#[tokio::test]
async fn writers_hold_no_lock_for_ever() {
    let scratch = Scratch::create().await;
    let usual = timeouts(&scratch.open("").await).await;
    let own =
        timeouts(&scratch.open("?options[idle_in_transaction_session_timeout]=1s").await).await;
    scratch.drop_it().await;
    assert!(usual.starts_with("20s 10min "), "{usual}");
    assert!(own.starts_with("1s 10min "), "{own}");
}

/// A process that is stopped in the middle of a transaction, with a row locked, stops the others for its time-out and no
/// longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_process_stops_the_others_for_a_moment_only() {
    let scratch = Scratch::create().await;
    let frozen = scratch.open("?options[idle_in_transaction_session_timeout]=1s").await;
    let made = frozen.write(|conn| {
        Box::pin(async move {
            conn.execute("CREATE TABLE people (id BIGINT PRIMARY KEY, age BIGINT)", &[]).await?;
            conn.execute("INSERT INTO people (id, age) VALUES (1, 30)", &[]).await
        })
    });
    made.await.unwrap();
    let (locked, is_locked) = oneshot::channel();
    let frozen = tokio::spawn(async move {
        let freeze = frozen.write(|conn| {
            Box::pin(async move {
                change(conn).await?;
                let _ = locked.send(());
                std::future::pending::<Result<()>>().await
            })
        });
        freeze.await
    });
    is_locked.await.unwrap();
    let other = scratch.open("").await;
    let write = || other.write(|conn| Box::pin(change(conn)));
    let started = Instant::now();
    let first = tokio::time::timeout(Duration::from_secs(15), write()).await;
    let waited = started.elapsed();
    // The others go on while it is still frozen, and are stopped by it no more.
    let second = tokio::time::timeout(Duration::from_secs(1), write()).await;
    frozen.abort();
    drop(other);
    scratch.drop_it().await;
    assert_eq!(first.expect("the others wait for it only so long").unwrap(), 1);
    assert!(waited > Duration::from_millis(500), "it held the lock: {waited:?}");
    assert_eq!(second.expect("nothing is in the way").unwrap(), 1);
}

#[test]
fn only_what_leaves_the_machine_can_be_read_on_the_way() {
    for (url, may) in [
        ("postgres://me@db.example.com/x", true),
        ("postgres://me@10.0.0.7/x?sslmode=prefer", true),
        ("postgres://me@db.example.com/x?sslmode=allow", true),
        ("postgres://me@db.example.com/x?sslmode=require", false),
        ("postgres://me@db.example.com/x?sslmode=disable", false),
        ("postgres://me@localhost/x", false),
        ("postgres://me@127.0.0.1/x", false),
        ("postgres://me@[::1]/x", false),
        ("postgres:///x?host=/var/run/postgresql", false),
    ] {
        assert_eq!(may_fall_back(&parse(url).unwrap()), may, "{url}");
    }
}
