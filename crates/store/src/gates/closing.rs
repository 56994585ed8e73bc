//! What closes a gate, for how long, and what a 429 teaches about the rate.

use std::time::Duration;

use db::Conn;
use jobs::gate::AnswerTo;
use jobs::learned_rate::{self, Since};
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{GateState, Policy, Provider, Timestamp};

use crate::error::Result;
use crate::gates::gate::Gate;
use crate::topic::Topic;

/// Closes a gate, or keeps it closed for longer.
pub(crate) async fn close(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    closing: &Closing,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let Some(closed) = gate.breaker.closed(closing, policy, now) else { return Ok(()) };
    conn.execute(
        "UPDATE provider_gates SET state = 'closed', reason = $2, message = $3, blocks_all = $4,
            closed_until = $5, closed_step = $6, probe_call = NULL, closed_at = $7,
            outage_reason = $8, outage_step = $9
         WHERE provider = $1",
        &[
            &provider.as_str(),
            &closing.reason.as_str(),
            &closing.message,
            &i64::from(closing.reason.blocks_all()),
            &closed.until.map(|t| t.0),
            &closed.step,
            &closed.closed_at.map(|t| t.0),
            &closed.outage.map(|outage| outage.reason.as_str()),
            &closed.outage.map_or(0, |outage| outage.step),
        ],
    )
    .await?;
    let was_shut = gate.breaker.state == GateState::Closed;
    if matches!(closing.reason, GateReason::CreditsPending | GateReason::CreditsInsufficient)
        && !was_shut
    {
        conn.execute(
            "UPDATE provider_gates SET balance_due_at = $2, balance_step = 0 WHERE provider = $1",
            &[&provider.as_str(), &now.0],
        )
        .await?;
    }
    if closing.reason == GateReason::RateLimited {
        learn_rate(conn, provider, gate, closed.until, now).await?;
    }
    log(provider, gate, closing, closed.until);
    conn.announce(Topic::Queue);
    Ok(())
}

/// Logs once why a gate closed. Answers to requests that left before add nothing new.
fn log(provider: Provider, gate: &Gate, closing: &Closing, until: Option<Timestamp>) {
    let reason = closing.reason.as_str();
    if gate.breaker.state == GateState::Closed && gate.breaker.is_shut_for(closing.reason) {
        tracing::debug!(%provider, reason, "refused again while the gate is closed");
        return;
    }
    let provider_says = closing.message.as_deref();
    let gate_until = until.map(Timestamp::iso8601);
    if closing.reason == GateReason::Misconfigured {
        tracing::error!(
            %provider, reason, provider_says,
            "gate closed: the provider refuses this set-up; nothing is sent to it until the key is another one or `enqueue resume {provider}`",
        );
    } else {
        tracing::warn!(%provider, reason, provider_says, gate_until, "gate closed");
    }
}

/// Lowers the rate. Requests in flight when the gate closed add nothing new.
async fn learn_rate(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    if gate.breaker.state == GateState::Closed && gate.breaker.is_shut_for(GateReason::RateLimited)
    {
        return Ok(());
    }
    let limit = gate.rate_limit.unwrap_or(1.0);
    let sending = gate.rate(limit, now);
    let since = gate.limited_at.map(|at| Since {
        time: now.since(Timestamp(at)),
        closed: Duration::from_millis(u64::try_from(gate.limited_for).unwrap_or(0)),
        passed: gate.passed_since_limit,
    });
    let learned = learned_rate::after_429(sending, since);
    conn.execute(
        "UPDATE provider_gates SET found_rate = $2, found_rate_at = $3, limited_at = $3,
            limited_for = $4, passed_since_limit = 0, rate_searching = $5
         WHERE provider = $1",
        &[
            &provider.as_str(),
            &learned.per_second,
            &now.0,
            &until.map_or(0, |t| (t.0 - now.0).max(0)),
            &i64::from(learned.searching),
        ],
    )
    .await?;
    Ok(())
}

/// Counts a broken answer: too many in a row close the gate, and so does a broken probe.
pub(crate) async fn broken(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    call: Option<i64>,
    message: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let to = match call {
        Some(_) if gate.probe_call == call => AnswerTo::Probe,
        Some(_) => AnswerTo::Order,
        None => AnswerTo::FreeRequest,
    };
    conn.execute(
        "UPDATE provider_gates SET broken_streak = broken_streak + 1 - $2, broken_free_requests = broken_free_requests + $2
         WHERE provider = $1",
        &[&provider.as_str(), &i64::from(to == AnswerTo::FreeRequest)],
    )
    .await?;
    if gate.breaker.breaks(to) {
        let closing = Closing {
            reason: GateReason::ProviderBroken,
            message: Some(message.to_owned()),
            until: Until::Backoff,
        };
        close(conn, provider, gate, &closing, policy, now).await?;
    }
    Ok(())
}

/// Closes the gate after an undocumented response to a request that may have been accepted: the next request waits. A
/// result of that request would show that it was accepted, and opens the gate at once.
pub(crate) async fn undocumented(
    conn: &mut Conn,
    provider: Provider,
    call: i64,
    message: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let gate = Gate::lock(conn, provider).await?;
    let closing = Closing {
        reason: GateReason::ProviderBroken,
        message: Some(format!("undocumented answer: {message}")),
        until: Until::Backoff,
    };
    close(conn, provider, &gate, &closing, policy, now).await?;
    conn.execute(
        "UPDATE provider_gates SET probe_call = $2
         WHERE provider = $1 AND state = 'closed' AND reason = 'provider_broken'",
        &[&provider.as_str(), &call],
    )
    .await?;
    Ok(())
}
