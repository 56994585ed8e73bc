//! The balance of a provider's account. It is read seldom, since a reading costs an action, too.

use std::time::Duration;

use db::Conn;
use jobs::backoff::exponential;
use jobs::gate::reading::{GateChange, Meaning, Reading};
use jobs::gate::{AnswerTo, backoff};
use jobs::outcome::{Balance, FreeRequestFailure};
use jobs::rate::{self, Leaving};
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{CallId, Credits, PerPerson, Policy, Provider, Tariff, Timestamp};

use crate::error::Result;
use crate::gates::Gates;
use crate::gates::account::Spending;
use crate::gates::free_requests::{FreeRequest, describe, on_failure};
use crate::gates::gate::{Gate, Going};
use crate::gates::{closing, gate, state};
use crate::topic::Topic;

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

    /// Records the answer to a balance request.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn record_balance(
        self,
        claimed: ClaimedBalance,
        result: std::result::Result<Balance, FreeRequestFailure>,
        http_status: Option<u16>,
        price: PerPerson,
        policy: &Policy,
    ) -> Result<()> {
        let (now, policy) = (self.store.now(), policy.clone());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    record(conn, &claimed, result, http_status, price, &policy, now).await
                })
            })
            .await
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
    let spent = Spending::read(conn, provider).await?.spent;
    Ok((Some(ClaimedBalance { provider, sent_at: now, spent }), None))
}

async fn record(
    conn: &mut Conn,
    claimed: &ClaimedBalance,
    result: std::result::Result<Balance, FreeRequestFailure>,
    http_status: Option<u16>,
    price: PerPerson,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let gate = Gate::lock(conn, claimed.provider).await?;
    let free_request = FreeRequest {
        call_id: &CallId::generate().to_string(),
        provider: claimed.provider,
        kind: "balance",
        attempt: 1,
        sent_at: claimed.sent_at.0,
        http_status,
        tracking_id: None,
        outcome: result.as_ref().map_or_else(|failure| describe(failure).into(), |_| "read".into()),
    };
    FreeRequest::write_all(conn, vec![free_request], now).await?;
    match result {
        Ok(balance) => {
            state::note_success(conn, claimed.provider, AnswerTo::FreeRequest).await?;
            note(conn, claimed, &gate, balance, price, policy, now).await
        }
        Err(failure) => {
            let due = now + exponential(policy.gate_base, policy.gate_max, 0);
            set_due(conn, claimed.provider, Some(due), 0).await?;
            if gate.breaker.is_closed_as_broken()
                && matches!(failure, FreeRequestFailure::Unavailable { .. })
            {
                return reprobe(conn, claimed.provider, &gate, policy, now).await;
            }
            on_failure(conn, claimed.provider, &gate, failure, policy, now).await
        }
    }
}

/// Doubles the wait until the next probe: the provider is still broken.
async fn reprobe(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let step = gate.breaker.step + 1;
    conn.execute(
        "UPDATE provider_gates SET closed_step = $2, closed_until = $3, balance_due_at = NULL WHERE provider = $1",
        &[&provider.as_str(), &step, &(now + backoff(policy, step)).0],
    )
    .await?;
    conn.announce(Topic::Queue);
    Ok(())
}

async fn note(
    conn: &mut Conn,
    &ClaimedBalance { provider, spent, .. }: &ClaimedBalance,
    gate: &Gate,
    balance: Balance,
    price: PerPerson,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let reserved = Spending::read(conn, provider).await?.reserved;
    conn.execute(
        "INSERT INTO balance_readings (provider, read_at, credits, ledger_spent, reserved) VALUES ($1, $2, $3, $4, $5)",
        &[
            &provider.as_str(),
            &now.0,
            &balance.credits.thousandths(),
            &spent.thousandths(),
            &reserved.thousandths(),
        ],
    )
    .await?;
    conn.execute(
        "UPDATE provider_gates SET balance_credits = $2, tariff = COALESCE(CAST($3 AS TEXT), tariff), balance_spent = $4, balance_at = $5,
            daily_left = $6, daily_resets_at = $7
         WHERE provider = $1",
        &[
            &provider.as_str(),
            &balance.credits.thousandths(),
            &balance.tariff.map(Tariff::as_str),
            &spent.thousandths(),
            &now.0,
            &balance.daily.map(|d| d.left),
            &balance.daily.map(|d| (now + d.resets_in).0),
        ],
    )
    .await?;
    let told = balance.tariff.or(gate.tariff);
    let least = price.price(provider, told, gate.most_phones).least;
    let reading = Reading {
        credits: balance.credits,
        before: gate.balance_credits,
        reserved,
        least,
        step: gate.balance_step,
    };
    apply(conn, provider, gate, reading.meaning(&gate.breaker, policy), policy, now).await
}

/// Applies to the gate what a reading means for it.
async fn apply(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    meaning: Meaning,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    match meaning.gate {
        GateChange::Nothing => {}
        GateChange::Close => {
            let closing = Closing {
                reason: GateReason::CreditsInsufficient,
                message: None,
                until: Until::Fixed,
            };
            closing::close(conn, provider, gate, &closing, policy, now).await?;
        }
        GateChange::End => state::write(conn, provider, &gate.breaker.ended(now)).await?,
        GateChange::HalfOpen => state::half_open(conn, provider, now).await?,
    }
    set_due(conn, provider, meaning.read_again.map(|wait| now + wait), meaning.step).await
}

async fn set_due(
    conn: &mut Conn,
    provider: Provider,
    due: Option<Timestamp>,
    step: i64,
) -> Result<()> {
    conn.execute(
        "UPDATE provider_gates SET balance_due_at = $2, balance_step = $3 WHERE provider = $1",
        &[&provider.as_str(), &due.map(|t| t.0), &step],
    )
    .await?;
    conn.announce(Topic::Queue);
    Ok(())
}
