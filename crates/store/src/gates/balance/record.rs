//! Records the answer to a balance request, and applies to the gate what it means.

use db::Conn;
use jobs::backoff::exponential;
use jobs::gate::reading::{GateChange, Meaning, Reading};
use jobs::gate::{AnswerTo, backoff};
use jobs::outcome::{Balance, FreeRequestFailure};
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{CallId, PerPerson, Policy, Provider, Tariff, Timestamp};

use crate::error::Result;
use crate::gates::Gates;
use crate::gates::account::Spending;
use crate::gates::balance::ClaimedBalance;
use crate::gates::free_requests::{FreeRequest, describe, on_failure};
use crate::gates::gate::Gate;
use crate::gates::{closing, state};
use crate::topic::Topic;

impl Gates<'_> {
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
    let reserved = Spending::read(conn, provider, gate).await?.reserved;
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
    let tariff = balance.tariff.or(gate.tariff);
    let least = price.price(provider, tariff, gate.most_phones).least;
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
