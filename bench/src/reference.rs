//! The references that the product is compared with.

use std::time::Instant;

use anyhow::Result;

use crate::apalis::{AT_ONCE, Apalis};
use crate::bench::Bench;
use crate::database::{Conn, Database};
use crate::kind::Kind;
use crate::measurement::Measurement;
use crate::{apalis_postgres_reference, apalis_sqlite_reference};

/// Measures stock apalis, once per database and run.
pub async fn apalis(bench: &Bench, kind: Kind) -> Result<Apalis> {
    let mut known = bench.apalis.lock().await;
    if let Some(apalis) = known.get(&kind) {
        return Ok(*apalis);
    }
    let (tasks, most) = (bench.people(20_000), bench.people(100_000));
    let apalis = match kind {
        Kind::Sqlite => apalis_sqlite_reference::measure(bench, tasks, most).await?,
        Kind::Postgres => apalis_postgres_reference::measure(bench, tasks, most).await?,
    };
    known.insert(kind, apalis);
    Ok(apalis)
}

/// Measures plain writes: `rows` rows of `bytes` in total into one table with a primary key, with the product's
/// durability and `per_commit` rows a transaction. Returns rows a second.
pub async fn raw(
    bench: &Bench,
    kind: Kind,
    rows: usize,
    bytes: i64,
    per_commit: usize,
) -> Result<f64> {
    let database = Database::create(bench, kind).await?;
    let mut conn = database.connect().await?;
    conn.execute("CREATE TABLE raw (id BIGINT PRIMARY KEY, filling TEXT NOT NULL)").await?;
    let each = "x".repeat((bytes as usize / rows).max(1));
    let started = Instant::now();
    let mut written = 0;
    while written < rows {
        let last = (written + per_commit).min(rows);
        // The database generates the rows, so that no time goes into parsing or sending them.
        let insert = match kind {
            Kind::Sqlite => {
                "WITH RECURSIVE n(i) AS (SELECT $1 + 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
                 INSERT INTO raw SELECT i, $3 FROM n"
            }
            Kind::Postgres => "INSERT INTO raw SELECT i, $3 FROM generate_series($1 + 1, $2) AS i",
        };
        let (from, to) = (written as i64, last as i64);
        match &mut conn {
            Conn::Sqlite(c) => {
                sqlx::query(insert).bind(from).bind(to).bind(&each).execute(c).await?;
            }
            Conn::Postgres(c) => {
                sqlx::query(insert).bind(from).bind(to).bind(&each).execute(c).await?;
            }
        }
        written = last;
    }
    let rate = rows as f64 / started.elapsed().as_secs_f64();
    drop(conn);
    database.remove().await?;
    Ok(rate)
}

/// Adds the references of work that ends with people's results: apalis alone where one request is for many people, and
/// apalis with requests where each person takes a separate request.
pub async fn add_for_drain(
    bench: &Bench,
    kind: Kind,
    measurement: Measurement,
    people: usize,
    bytes: i64,
    per_commit: usize,
) -> Result<Measurement> {
    if !bench.with_reference {
        return Ok(measurement);
    }
    let raw = raw(bench, kind, people, bytes, per_commit).await?;
    let apalis = apalis(bench, kind).await?;
    // One after the other, as submit and drain are.
    let both = |drain: f64| 1.0 / (1.0 / apalis.push + 1.0 / drain);
    let measurement = measurement
        .with_reference("raw_writes", raw)
        .with_reference("apalis_as_shipped", both(apalis.as_shipped))
        .with_reference("apalis_repaired", both(apalis.repaired));
    if per_commit > AT_ONCE {
        return Ok(measurement);
    }
    Ok(measurement.with_reference("apalis_repaired_with_requests", both(apalis.with_requests)))
}
