//! Everything that the dashboard and the metrics show, read from kept counts and the ends of
//! indexes: as cheap with millions of rows as with ten.

use std::time::Duration;

use jobs::{Provider, Timestamp};

use crate::conn::{Conn, row, rows, value};
use crate::held_up::short_of;
use crate::holds::{ShownGate, read_gates, shut_by};
use crate::overview_batches::{BatchOverview, read_batches, read_counts};
use crate::record::record;
use crate::throughput::{Minute, read_minutes};
use crate::{Result, Store};

/// How far back throughput is shown.
const HISTORY: Duration = Duration::from_secs(3600);
/// What is counted one by one is counted so far.
pub const COUNTED: i64 = 1_000;
/// A worker that was silent for so long is not listed any more.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// How everything stands.
#[derive(Debug, Clone)]
pub struct Overview {
    /// When this was read.
    pub at: Timestamp,
    /// `live` or `sandbox`.
    pub stamp: String,
    /// Both providers, in the order of [`Provider::ALL`].
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
    /// Stored webhooks that wait to be applied, and since when the oldest.
    pub inbox: (i64, Option<Timestamp>),
}

/// How a provider stands.
#[derive(Debug, Clone)]
pub struct ProviderOverview {
    /// Which.
    pub provider: Provider,
    /// `open`, `closed`, `probing` or `paused`.
    pub gate: &'static str,
    /// Why it is shut, as the views' word.
    pub reason: Option<String>,
    /// Why it is shut, when it is tried again and what to do, as a sentence.
    pub shut_by: Option<String>,
    /// What keeps people waiting although it is open: the canary, credits that are tied up.
    pub short_of: Option<String>,
    /// When a closed gate is probed.
    pub until: Option<Timestamp>,
    /// Requests whose results are out, counted to [`COUNTED`].
    pub out: i64,
    /// When the oldest of them was sent.
    pub oldest_out: Option<Timestamp>,
    /// Since when the first person who could be asked waits.
    pub waiting_since: Option<Timestamp>,
    /// Requests since midnight, UTC.
    pub requests_today: i64,
    /// How many more the provider said it takes today.
    pub requests_left: Option<i64>,
    /// Requests a second that go at most.
    pub rate: Option<f64>,
    /// What the user allows; a 429 may have taught a lower rate.
    pub rate_limit: Option<f64>,
    /// Credits left in the account, as far as is known.
    pub credits_left: Option<i64>,
    /// When the account was asked.
    pub credits_checked_at: Option<Timestamp>,
    /// Rows and credits of all batches.
    pub counts: Counts,
}

record! {
    /// Rows and credits of one provider.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    #[expect(
        missing_docs,
        reason = "the columns of batch_status and batch_spend, which the contract explains"
    )]
    pub struct Counts {
        pub queued: i64,
        pub sending: i64,
        pub awaiting: i64,
        pub retrying: i64,
        pub held: i64,
        pub found: i64,
        pub not_found: i64,
        pub failed: i64,
        pub expired: i64,
        pub cancelled: i64,
        pub people_asked: i64,
        pub people_found: i64,
        pub credits_reserved: i64,
        pub credits_spent: i64,
    }
}

/// People who are asked again later for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrying {
    /// At which provider.
    pub provider: String,
    /// Why they were refused; may be the provider's words.
    pub reason: String,
    /// How many, of the first [`COUNTED`].
    pub people: i64,
    /// When the first of them has its turn.
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

impl Counts {
    /// The states and how many rows show each, in the order of a row's life, ends last.
    #[must_use]
    pub fn by_state(&self) -> [(&'static str, i64); 10] {
        [
            ("found", self.found),
            ("not_found", self.not_found),
            ("failed", self.failed),
            ("expired", self.expired),
            ("cancelled", self.cancelled),
            ("awaiting", self.awaiting),
            ("sending", self.sending),
            ("queued", self.queued),
            ("retrying", self.retrying),
            ("held", self.held),
        ]
    }

    /// Rows that are finished, whatever came of them.
    #[must_use]
    pub fn finished(&self) -> i64 {
        self.found + self.not_found + self.failed + self.expired + self.cancelled
    }

    /// Rows that are not.
    #[must_use]
    pub fn unfinished(&self) -> i64 {
        self.queued + self.sending + self.awaiting + self.retrying + self.held
    }

    /// The share of answered people who have a number.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        let answered = self.found + self.not_found;
        (answered > 0).then(|| self.found as f64 / answered as f64)
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Counts) {
        self.queued += other.queued;
        self.sending += other.sending;
        self.awaiting += other.awaiting;
        self.retrying += other.retrying;
        self.held += other.held;
        self.found += other.found;
        self.not_found += other.not_found;
        self.failed += other.failed;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.people_asked += other.people_asked;
        self.people_found += other.people_found;
        self.credits_reserved += other.credits_reserved;
        self.credits_spent += other.credits_spent;
    }
}

impl Store {
    /// Reads how everything stands. `most_batches` are listed, unfinished ones first.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn overview(&self, most_batches: usize) -> Result<Overview> {
        let at = self.now();
        let inbox = self.inbox_backlog().await?;
        let mut conn = self.read().await?;
        let stamp: Option<(String,)> =
            row!(conn, "SELECT value FROM settings WHERE name = 'stamp'")?;
        let counted: Option<(i64, i64)> = row!(
            conn,
            "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN unfinished > 0 THEN 1 ELSE 0 END), 0) AS BIGINT)
             FROM batches WHERE published_at IS NOT NULL",
        )?;
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
            workers: read_workers(&mut conn, at - FORGOTTEN).await?,
            inbox,
        })
    }

    /// One batch, as an overview lists it.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn batch_overview(&self, batch: &crate::BatchRef) -> Result<Option<BatchOverview>> {
        let mut conn = self.read().await?;
        Ok(read_batches(&mut conn, Some(batch.id), 1).await?.pop())
    }
}

async fn read_providers(conn: &mut Conn, now: Timestamp) -> Result<Vec<ProviderOverview>> {
    let counts = read_counts(conn).await?;
    let gates = read_gates(conn).await?;
    let mut providers = Vec::with_capacity(gates.len());
    for shown in gates {
        let counts = counts.iter().find(|(p, _)| *p == shown.provider).map(|(_, c)| *c);
        providers.push(read_provider(conn, &shown, counts.unwrap_or_default(), now).await?);
    }
    Ok(providers)
}

async fn read_provider(
    conn: &mut Conn,
    shown: &ShownGate,
    counts: Counts,
    now: Timestamp,
) -> Result<ProviderOverview> {
    let (provider, gate) = (shown.provider, &shown.gate);
    let (state, reason) = if gate.paused == 1 {
        ("paused", Some("paused".to_owned()))
    } else if gate.off_reason.is_some() {
        ("closed", gate.off_reason.clone())
    } else {
        let state = match gate.state.as_str() {
            "open" => "open",
            "probing" => "probing",
            _ => "closed",
        };
        (state, gate.reason.clone())
    };
    let shut = shut_by(shown, now);
    let short_of =
        if shut.is_none() && counts.queued > 0 { short_of(conn, shown).await? } else { None };
    let today = now.0.div_euclid(86_400_000);
    let requests: i64 = value!(
        conn,
        "SELECT CASE WHEN requests_day = $2 THEN requests_today ELSE 0 END FROM provider_gates WHERE provider = $1",
        provider.as_str(),
        today,
    )?;
    let (out, oldest_out) = read_out(conn, provider).await?;
    let daily_left = gate.daily_left.filter(|_| gate.daily_resets_at.is_some_and(|at| at > now.0));
    Ok(ProviderOverview {
        provider,
        gate: state,
        reason,
        shut_by: shut,
        short_of,
        until: gate.closed_until.filter(|_| state == "closed").map(Timestamp),
        out,
        oldest_out,
        waiting_since: waiting_since(conn, provider, now).await?,
        requests_today: requests,
        requests_left: daily_left,
        rate: gate.rate_limit.map(|limit| gate.rate(limit, now)),
        rate_limit: gate.rate_limit,
        credits_left: gate.balance_credits.map(|c| c - (counts.credits_spent - gate.balance_spent)),
        credits_checked_at: gate.balance_at.map(Timestamp),
        counts,
    })
}

/// A million people whose results are out are not counted every second: the first are.
async fn read_out(conn: &mut Conn, provider: Provider) -> Result<(i64, Option<Timestamp>)> {
    let found: Option<(i64, Option<i64>)> = row!(
        conn,
        "SELECT COUNT(*), MIN(sent_at) FROM
            (SELECT sent_at FROM calls WHERE provider = $1 AND deadline_at IS NOT NULL
             ORDER BY deadline_at LIMIT $2) c",
        provider.as_str(),
        COUNTED,
    )?;
    let (out, oldest) = found.unwrap_or_default();
    Ok((out, oldest.map(Timestamp)))
}

/// Since when the first person waits who is due: the oldest batch with people in the queue, or the
/// first whose backoff is over.
async fn waiting_since(
    conn: &mut Conn,
    provider: Provider,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let queued: Option<(Option<i64>,)> = row!(
        conn,
        "SELECT MIN(b.published_at) FROM batches b JOIN batch_totals t ON t.batch_id = b.id
         WHERE t.provider = $1 AND t.queued > 0 AND b.unfinished > 0
           AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL",
        provider.as_str(),
    )?;
    let due: Option<(Option<i64>,)> = row!(
        conn,
        "SELECT MIN(due_at) FROM reveals WHERE provider = $1 AND state = 'retrying'",
        provider.as_str(),
    )?;
    let due = due.and_then(|(at,)| at).filter(|at| *at <= now.0);
    Ok(queued.and_then(|(at,)| at).into_iter().chain(due).min().map(Timestamp))
}

async fn read_retrying(conn: &mut Conn) -> Result<Vec<Retrying>> {
    let found: Vec<(String, String, i64, Option<i64>)> = rows!(
        conn,
        "SELECT provider, COALESCE(reason, ''), COUNT(*), MIN(due_at) FROM
            (SELECT provider, reason, due_at FROM reveals WHERE state = 'retrying' LIMIT $1) r
         GROUP BY provider, COALESCE(reason, '') ORDER BY COUNT(*) DESC LIMIT 20",
        COUNTED,
    )?;
    Ok(found
        .into_iter()
        .map(|(provider, reason, people, next_at)| Retrying {
            provider,
            reason,
            people,
            next_at: next_at.map(Timestamp),
        })
        .collect())
}

type WorkerRow = (String, String, i64, String, String, i64, i64);

async fn read_workers(conn: &mut Conn, since: Timestamp) -> Result<Vec<WorkerOverview>> {
    let found: Vec<WorkerRow> = rows!(
        conn,
        "SELECT worker_id, host, pid, role, version, started_at, heartbeat_at FROM workers
         WHERE stopped_at IS NULL AND heartbeat_at >= $1 ORDER BY started_at LIMIT 50",
        since.0,
    )?;
    Ok(found
        .into_iter()
        .map(|(worker, host, pid, role, version, started, heartbeat)| WorkerOverview {
            worker,
            host,
            pid,
            role,
            version,
            started_at: Timestamp(started),
            heartbeat_at: Timestamp(heartbeat),
        })
        .collect())
}
