//! The balance of a provider's account. It is read seldom, since a reading costs an action, too.

mod record;

use std::time::Duration;

use db::Conn;
use jobs::rate::{self, Leaving};
use jobs::{Credits, Provider, Timestamp};

use crate::error::Result;
use crate::gates::Gates;
use crate::gates::account::Spending;
use crate::gates::gate::{self, Gate, Going};

/// How long after a reading an account is read again if nothing asks for a reading.
const REGULARLY: Duration = Duration::from_secs(60 * 60);

/// How long a balance request may be out before another worker may try it.
const BALANCE_LEASE: Duration = Duration::from_secs(60);

/// A balance to be asked for.
#[derive(Debug, Clone)]
pub struct ClaimedBalance {
    /// The provider.
    pub provider: Provider,
    sent_at: Timestamp,
    /// The credits that the ledger had spent by then. A charge that is settled while the answer is on its way was made
    /// before or after the provider wrote the answer. Counting it as later makes the account look emptier, never fuller.
    spent: Credits,
}

impl Gates<'_> {
    /// Claims the request for a balance, if one is due.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn claim_balance(
        self,
        provider: Provider,
        limit: f64,
    ) -> Result<(Option<ClaimedBalance>, Option<Timestamp>)> {
        let now = self.store.now();
        // Checked first without the gate's lock, which every sender and every answer needs.
        match due(&Gate::read(&mut self.store.db.read().await?, provider).await?, now) {
            Some(at) if at <= now => {}
            again_at => return Ok((None, again_at)),
        }
        self.store
            .db
            .write(move |conn| Box::pin(async move { claim(conn, provider, limit, now).await }))
            .await
    }

    /// Whether a balance that may open a closed gate is being read, or about to be.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn balance_is_due(self) -> Result<bool> {
        let mut conn = self.store.db.read().await?;
        let due: Option<(String,)> = conn
            .fetch_optional(
                "SELECT provider FROM provider_gates
                 WHERE off_reason IS NULL AND paused = 0 AND balance_due_at IS NOT NULL
                   AND COALESCE(reason, '') <> 'misconfigured'
                   AND (balance_due_at <= $1 OR balance_at IS NULL OR balance_at < closed_at) LIMIT 1",
                &[&self.store.now().0],
            )
            .await?;
        Ok(due.is_some())
    }
}

/// When the balance is to be read; `None` if only a change of the gate makes a reading due.
fn due(gate: &Gate, now: Timestamp) -> Option<Timestamp> {
    match gate.breaker.free_requests_wait(now) {
        Some(until) => until,
        None => {
            let due = gate.balance_due_at.or(regularly(gate));
            [due, probes_at(gate)].into_iter().flatten().min().map(Timestamp)
        }
    }
}

/// When a balance is read although nothing asks for it, so that the ledger's spending can be compared with the account's
/// loss.
fn regularly(gate: &Gate) -> Option<i64> {
    gate.balance_at.map(|at| (Timestamp(at) + REGULARLY).0)
}

/// When a gate that was closed for a broken provider is probed by a balance request.
fn probes_at(gate: &Gate) -> Option<i64> {
    gate.breaker.until.filter(|_| gate.breaker.is_closed_as_broken()).map(|until| until.0)
}

async fn claim(
    conn: &mut Conn,
    provider: Provider,
    limit: f64,
    now: Timestamp,
) -> Result<(Option<ClaimedBalance>, Option<Timestamp>)> {
    let gate = Gate::lock(conn, provider).await?;
    match due(&gate, now) {
        Some(at) if at <= now => {}
        again_at => return Ok((None, again_at)),
    }
    let grant = rate::take(gate.tat_us, now.0 * 1000, gate.rate(limit, now), 1, Leaving::AtOnce);
    if grant.requests == 0 {
        return Ok((None, Some(Timestamp(grant.next_at_ms))));
    }
    let going = Going {
        requests: 1,
        isolating: 0,
        tat_us: grant.tat_us,
        poll_tat_us: None,
        rate_limit: limit,
    };
    gate::count_requests(conn, provider, &gate, going, now).await?;
    conn.execute(
        "UPDATE provider_gates SET balance_due_at = $2,
            closed_until = CASE WHEN $3 = 1 THEN CAST($2 AS BIGINT) ELSE closed_until END
         WHERE provider = $1",
        &[&provider.as_str(), &(now + BALANCE_LEASE).0, &i64::from(probes_at(&gate).is_some())],
    )
    .await?;
    let spent = Spending::read(conn, provider, &gate).await?.spent;
    Ok((Some(ClaimedBalance { provider, sent_at: now, spent }), None))
}
