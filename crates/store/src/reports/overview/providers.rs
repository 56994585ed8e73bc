//! The state of providers, for the overview: their gates, the calls that are out, and the people who wait.

use db::Conn;
use jobs::{Credits, GateState, Provider, Timestamp};

use crate::error::Result;
use crate::reports::blocked_batches::short_of;
use crate::reports::blocked_reasons::{ShownGate, read_gates, shut_by};
use crate::reports::counts::{COUNTED, Counts, read_counts};

/// The state of a provider.
#[derive(Debug, Clone)]
pub struct ProviderOverview {
    /// The provider.
    pub provider: Provider,
    /// `open`, `closed`, `probing` or `paused`.
    pub gate: &'static str,
    /// Why it is shut, in the word of the views.
    pub reason: Option<String>,
    /// Why it is shut and when it is tried again, as a sentence.
    pub shut_by: Option<String>,
    /// What rows in its queue show instead of `queued` while it is shut: `held` or `retrying`.
    pub shown_as: Option<String>,
    /// Why people wait although it is open: the canary, credits that are tied up.
    pub short_of: Option<String>,
    /// When a closed gate is probed.
    pub until: Option<Timestamp>,
    /// Requests whose results are out, counted to [`COUNTED`].
    pub out: i64,
    /// When the oldest of these requests was sent.
    pub oldest_out: Option<Timestamp>,
    /// When one of its webhooks was last applied, to within a minute or so.
    pub webhook_at: Option<Timestamp>,
    /// Since when the first person who could be asked waits.
    pub waiting_since: Option<Timestamp>,
    /// Requests since midnight, UTC.
    pub requests_today: i64,
    /// How many more requests the provider said it takes today.
    pub requests_left: Option<i64>,
    /// The most requests a second that are sent.
    pub rate: Option<f64>,
    /// The user's limit; a 429 may have taught a lower rate.
    pub rate_limit: Option<f64>,
    /// Credits left in the account, as far as is known.
    pub credits_left: Option<Credits>,
    /// When the balance was read.
    pub credits_checked_at: Option<Timestamp>,
    /// Rows and credits of all batches.
    pub counts: Counts,
}

/// Reads the state of every provider, in the order of [`Provider::ALL`].
pub(crate) async fn read_providers(
    conn: &mut Conn,
    now: Timestamp,
) -> Result<Vec<ProviderOverview>> {
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
    let (state, reason) = if gate.breaker.paused {
        ("paused", Some("paused".to_owned()))
    } else if let Some(off) = gate.off_reason {
        (GateState::Closed.as_str(), Some(off.to_string()))
    } else {
        (gate.breaker.state.as_str(), gate.breaker.reason.map(|reason| reason.to_string()))
    };
    let shut = shut_by(shown, now);
    let short_of =
        if shut.is_none() && counts.queued > 0 { short_of(conn, shown).await? } else { None };
    let today = now.0.div_euclid(86_400_000);
    let requests: i64 = conn.fetch_value(
        "SELECT CASE WHEN requests_day = $2 THEN requests_today ELSE 0 END FROM provider_gates WHERE provider = $1",
        &[&provider.as_str(), &today],
    )
    .await?;
    let (out, oldest_out) = read_out(conn, provider).await?;
    let daily_left = gate.daily_left.filter(|_| gate.daily_resets_at.is_some_and(|at| at > now.0));
    Ok(ProviderOverview {
        provider,
        gate: state,
        reason,
        shut_by: shut.map(|why| why.text),
        shown_as: shown.shown_as.clone(),
        short_of,
        until: gate.breaker.until.filter(|_| state == GateState::Closed.as_str()),
        out,
        oldest_out,
        webhook_at: gate.webhook_at.map(Timestamp),
        waiting_since: waiting_since(conn, provider, now).await?,
        requests_today: requests,
        requests_left: daily_left,
        rate: gate.rate_limit.map(|limit| gate.rate(limit, now)),
        rate_limit: gate.rate_limit,
        credits_left: gate
            .balance_credits
            .map(|c| c - (counts.credits_spent + gate.purged_spent - gate.balance_spent)),
        credits_checked_at: gate.balance_at.map(Timestamp),
        counts,
    })
}

/// Counts only the first calls that are out: a million of them can't be counted every second.
async fn read_out(conn: &mut Conn, provider: Provider) -> Result<(i64, Option<Timestamp>)> {
    let found: Option<(i64, Option<i64>)> = conn
        .fetch_optional(
            "SELECT COUNT(*), MIN(sent_at) FROM
             (SELECT sent_at FROM calls WHERE provider = $1 AND deadline_at IS NOT NULL
              ORDER BY deadline_at LIMIT $2) c",
            &[&provider.as_str(), &COUNTED],
        )
        .await?;
    let (out, oldest) = found.unwrap_or_default();
    Ok((out, oldest.map(Timestamp)))
}

/// Since when the first due person waits: the oldest batch with people in the queue, or the first person whose backoff is
/// over.
async fn waiting_since(
    conn: &mut Conn,
    provider: Provider,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let queued: Option<(Option<i64>,)> = conn
        .fetch_optional(
            "SELECT MIN(b.published_at) FROM batches b JOIN batch_totals t ON t.batch_id = b.id
             WHERE t.provider = $1 AND t.queued > 0 AND b.finished_at IS NULL
               AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL",
            &[&provider.as_str()],
        )
        .await?;
    let due: Option<(Option<i64>,)> = conn
        .fetch_optional(
            "SELECT MIN(retry_at) FROM reveals WHERE provider = $1 AND retry_at IS NOT NULL",
            &[&provider.as_str()],
        )
        .await?;
    let due = due.and_then(|(at,)| at).filter(|at| *at <= now.0);
    Ok(queued.and_then(|(at,)| at).into_iter().chain(due).min().map(Timestamp))
}
