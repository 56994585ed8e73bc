//! What closes a gate, for how long, and what a 429 teaches about the rate.

use std::time::Duration;

use jobs::backoff::exponential;
use jobs::learned_rate::{self, Since};
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{Policy, Provider, Timestamp};

use super::Gate;
use crate::conn::{Conn, exec};
use crate::{Result, Topic};

/// Broken answers in a row that close a gate.
const BROKEN_STREAK: i64 = 5;

/// Closes a gate, or keeps it closed for longer.
pub(crate) async fn close(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    closing: &Closing,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    if is_outranked(gate, closing, now) {
        return Ok(());
    }
    let was_shut = gate.state == "closed";
    let step = next_step(gate, closing, now);
    let until = closed_until(gate, closing, step, policy, now);
    exec!(
        conn,
        "UPDATE provider_gates SET state = 'closed', reason = $2, message = $3, blocks_all = $4,
            closed_until = $5, closed_step = $6, probe_call = NULL,
            closed_at = CASE WHEN state = 'closed' THEN closed_at ELSE CAST($7 AS BIGINT) END
         WHERE provider = $1",
        provider.as_str(),
        closing.reason.as_str(),
        closing.message.as_deref(),
        i64::from(closing.reason.blocks_all()),
        until.map(|t| t.0),
        step,
        now.0,
    )?;
    if matches!(closing.reason, GateReason::CreditsPending | GateReason::CreditsInsufficient)
        && !was_shut
    {
        exec!(
            conn,
            "UPDATE provider_gates SET balance_due_at = $2, balance_step = 0 WHERE provider = $1",
            provider.as_str(),
            now.0,
        )?;
    }
    if closing.reason == GateReason::RateLimited {
        learn_rate(conn, provider, gate, until, now).await?;
    }
    conn.announce(Topic::Queue);
    Ok(())
}

/// Whether the gate is closed for something that what earlier requests are refused for can't change: only the user
/// mends a wrong set-up, and until a 429's time is up nobody sends anything.
fn is_outranked(gate: &Gate, closing: &Closing, now: Timestamp) -> bool {
    if gate.state != "closed" {
        return false;
    }
    let to_be_mended = gate.closed_until.is_none() && gate.is_closed_for(GateReason::Misconfigured);
    let limited = gate.is_closed_for(GateReason::RateLimited)
        && gate.closed_until.is_some_and(|until| until > now.0);
    let weighs_more = matches!(closing.reason, GateReason::RateLimited | GateReason::Misconfigured);
    to_be_mended || (limited && !weighs_more)
}

/// How often in a row it closed for this reason. Answers to requests that left before it closed are no probes:
/// they make it no worse.
fn next_step(gate: &Gate, closing: &Closing, now: Timestamp) -> i64 {
    if gate.reason.as_deref() != Some(closing.reason.as_str()) {
        return 0;
    }
    match gate.state.as_str() {
        "probing" => gate.closed_step + 1,
        "closed" if gate.closed_until.is_some_and(|until| until <= now.0) => gate.closed_step + 1,
        "closed" => gate.closed_step,
        _ => 0,
    }
}

/// Until when, if time opens it at all; for one reason never less than it was to be closed anyway.
fn closed_until(
    gate: &Gate,
    closing: &Closing,
    step: i64,
    policy: &Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    let step = u32::try_from(step).unwrap_or(u32::MAX - 1);
    let until = match closing.until {
        Until::After(wait) => now + wait,
        Until::Backoff => now + exponential(policy.gate_base, policy.gate_max, step),
        Until::Mended => return None,
    };
    let same = gate.state == "closed" && gate.is_closed_for(closing.reason);
    let before = gate.closed_until.filter(|_| same).map(Timestamp);
    Some(before.map_or(until, |before| until.max(before)))
}

/// Takes the rate down. Requests that were on their way when the gate closed tell nothing new.
async fn learn_rate(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    if gate.is_closed_for(GateReason::RateLimited) && gate.state == "closed" {
        return Ok(());
    }
    let limit = gate.rate_limit.unwrap_or(1.0);
    let sending = gate.rate(limit, now);
    let since = gate.limited_at.map(|at| Since {
        time: now.since(Timestamp(at)),
        closed: Duration::from_millis(u64::try_from(gate.limited_for).unwrap_or(0)),
        passed: gate.passed,
    });
    let learned = learned_rate::after_429(sending, since);
    exec!(
        conn,
        "UPDATE provider_gates SET found_rate = $2, found_rate_at = $3, limited_at = $3,
            limited_for = $4, passed = 0, rate_searching = $5
         WHERE provider = $1",
        provider.as_str(),
        learned.per_second,
        now.0,
        until.map_or(0, |t| (t.0 - now.0).max(0)),
        i64::from(learned.searching),
    )?;
    Ok(())
}

/// A broken answer: too many in a row close the gate, and so does a broken probe.
pub(crate) async fn broken(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    call: Option<i64>,
    message: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    exec!(
        conn,
        "UPDATE provider_gates SET broken_streak = broken_streak + 1 WHERE provider = $1",
        provider.as_str(),
    )?;
    let was_probe = call.is_some() && gate.probe_call == call;
    if was_probe || (gate.state == "open" && gate.broken_streak + 1 >= BROKEN_STREAK) {
        let closing = Closing {
            reason: GateReason::ProviderBroken,
            message: Some(message.to_owned()),
            until: Until::Backoff,
        };
        close(conn, provider, gate, &closing, policy, now).await?;
    }
    Ok(())
}
