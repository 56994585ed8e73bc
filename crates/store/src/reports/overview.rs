//! Everything that the dashboard and the metrics show, read from kept counts and the ends of
//! indexes: as cheap with millions of rows as with ten.

pub(crate) mod batches;
pub(crate) mod providers;

use std::time::Duration;

use db::{Conn, record};
use jobs::Timestamp;

use crate::decode::BatchRef;
use crate::error::Result;
use crate::reports::Reports;
use crate::reports::counts::COUNTED;
use crate::reports::overview::batches::{BatchOverview, read_batches};
use crate::reports::overview::providers::{ProviderOverview, read_providers};
use crate::results::inbox::Backlog;
use crate::results::throughput::{Minute, read_minutes};

/// How far back throughput is shown.
const HISTORY: Duration = Duration::from_secs(3600);

/// A worker that was silent for this long is not listed any more.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// The state of the ledger, its providers, batches and workers.
#[derive(Debug, Clone)]
pub struct Overview {
    /// When this was read.
    pub at: Timestamp,
    /// `live` or `sandbox`.
    pub stamp: String,
    /// Both providers, in the order of [`jobs::Provider::ALL`].
    pub providers: Vec<ProviderOverview>,
    /// Unfinished batches and the newest finished ones.
    pub batches: Vec<BatchOverview>,
    /// How many batches there are.
    pub batch_count: i64,
    /// Unfinished batches.
    pub open_batches: i64,
    /// People who were refused for now, by reason, the most first.
    pub retrying: Vec<Retrying>,
    /// Results of the last hour, by minute.
    pub minutes: Vec<Minute>,
    /// Workers that were heard of lately.
    pub workers: Vec<WorkerOverview>,
    /// When a process that sends requests was last there, whether it stopped or fell silent.
    pub worked_at: Option<Timestamp>,
    /// Stored webhooks that wait to be applied.
    pub inbox: Backlog,
}

/// People who are asked again later for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrying {
    /// The provider that refused them.
    pub provider: String,
    /// Why they were refused; may be the provider's words.
    pub reason: String,
    /// How many people, of the first [`COUNTED`].
    pub people: i64,
    /// When the first of these people is queued again.
    pub next_at: Option<Timestamp>,
}

/// One start of a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOverview {
    /// Its id.
    pub worker: String,
    /// Its machine.
    pub host: String,
    /// Its process.
    pub pid: i64,
    /// `all`, `jobs` or `webhooks`.
    pub role: String,
    /// The program's version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub heartbeat_at: Timestamp,
}

impl Reports<'_> {
    /// Reads the overview. `most_batches` are listed, unfinished ones first.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn overview(self, most_batches: usize) -> Result<Overview> {
        let at = self.store.now();
        let inbox = self.store.results().inbox_backlog().await?;
        let mut conn = self.store.db.read().await?;
        let stamp: Option<(String,)> =
            conn.fetch_optional("SELECT value FROM settings WHERE name = 'stamp'", &[]).await?;
        let counted: Option<(i64, i64)> = conn.fetch_optional(
            "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN finished_at IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT)
             FROM batches WHERE published_at IS NOT NULL",
            &[],
        )
        .await?;
        let (batch_count, open_batches) = counted.unwrap_or_default();
        Ok(Overview {
            at,
            stamp: stamp.map(|(value,)| value).unwrap_or_default(),
            providers: read_providers(&mut conn, at).await?,
            batches: read_batches(&mut conn, None, most_batches).await?,
            batch_count,
            open_batches,
            retrying: read_retrying(&mut conn).await?,
            minutes: read_minutes(&mut conn, at - HISTORY).await?,
            worked_at: read_worked_at(&mut conn).await?,
            workers: read_workers(&mut conn, at - FORGOTTEN).await?,
            inbox,
        })
    }

    /// One batch, as an overview lists it.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn batch_overview(self, batch: &BatchRef) -> Result<Option<BatchOverview>> {
        let mut conn = self.store.db.read().await?;
        Ok(read_batches(&mut conn, Some(batch.id), 1).await?.pop())
    }
}

record! {
    /// How many people are asked again later for one reason, and when first.
    struct RetryingRow {
        provider: String,
        reason: String,
        people: i64,
        next_at: Option<i64>,
    }
}

async fn read_retrying(conn: &mut Conn) -> Result<Vec<Retrying>> {
    let found: Vec<RetryingRow> = conn.fetch_all(
        "SELECT provider, COALESCE(reason, '') AS reason, COUNT(*) AS people, MIN(due_at) AS next_at FROM
            (SELECT /* scan */ provider, reason, due_at FROM reveals WHERE retry_at IS NOT NULL LIMIT $1) r
         GROUP BY provider, COALESCE(reason, '') ORDER BY COUNT(*) DESC LIMIT 20",
        &[&COUNTED],
    )
    .await?;
    Ok(found
        .into_iter()
        .map(|row| Retrying {
            provider: row.provider,
            reason: row.reason,
            people: row.people,
            next_at: row.next_at.map(Timestamp),
        })
        .collect())
}

async fn read_worked_at(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let found: Option<(Option<i64>,)> = conn
        .fetch_optional(
            "SELECT MAX(COALESCE(stopped_at, heartbeat_at)) FROM workers WHERE role <> 'webhooks'",
            &[],
        )
        .await?;
    Ok(found.and_then(|(at,)| at).map(Timestamp))
}

record! {
    /// A start of a worker process that is still listed.
    struct WorkerRow {
        worker_id: String,
        host: String,
        pid: i64,
        role: String,
        version: String,
        started_at: i64,
        heartbeat_at: i64,
    }
}

async fn read_workers(conn: &mut Conn, since: Timestamp) -> Result<Vec<WorkerOverview>> {
    let found: Vec<WorkerRow> = conn
        .fetch_all(
            "SELECT worker_id, host, pid, role, version, started_at, heartbeat_at FROM workers
             WHERE stopped_at IS NULL AND heartbeat_at >= $1 ORDER BY started_at LIMIT 50",
            &[&since.0],
        )
        .await?;
    Ok(found
        .into_iter()
        .map(|row| WorkerOverview {
            worker: row.worker_id,
            host: row.host,
            pid: row.pid,
            role: row.role,
            version: row.version,
            started_at: Timestamp(row.started_at),
            heartbeat_at: Timestamp(row.heartbeat_at),
        })
        .collect())
}
