//! Opens gates, and stores their state.

use db::Conn;
use jobs::gate::{AnswerTo, Breaker};
use jobs::{GateReason, GateState, Provider, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;
use crate::topic::Topic;

/// Stores the state of a gate that is open or half-open; [`super::closing::close`] stores that of a closed one.
pub(crate) async fn write(conn: &mut Conn, provider: Provider, gate: &Breaker) -> Result<()> {
    let open = gate.state == GateState::Open;
    conn.execute(
        "UPDATE provider_gates SET state = $2, reason = $3, message = CASE WHEN $4 = 1 THEN NULL ELSE message END,
            blocks_all = $5, closed_until = $6, closed_step = $7, probe_call = NULL, broken_streak = $8,
            outage_reason = $9, outage_step = $10
         WHERE provider = $1",
        &[
            &provider.as_str(),
            &gate.state.as_str(),
            &gate.reason.map(GateReason::as_str),
            &i64::from(open),
            &i64::from(gate.reason.is_some_and(GateReason::blocks_all)),
            &gate.until.map(|until| until.0),
            &gate.step,
            &gate.broken_streak,
            &gate.outage.map(|outage| outage.reason.as_str()),
            &gate.outage.map_or(0, |outage| outage.step),
        ],
    )
    .await?;
    if open {
        tracing::info!(%provider, "gate opened");
    } else {
        tracing::info!(%provider, "gate half-open");
    }
    conn.announce(Topic::Queue);
    Ok(())
}

/// Opens a gate: an order was accepted, or there is another key.
pub(crate) async fn open(conn: &mut Conn, provider: Provider) -> Result<()> {
    let opened = conn.execute(
        "UPDATE provider_gates SET state = 'open', reason = NULL, message = NULL, blocks_all = 0,
            closed_until = NULL, closed_step = 0, probe_call = NULL, broken_streak = 0,
            broken_free_requests = 0, outage_reason = NULL, outage_step = 0, not_found_run = 0, not_found_first = NULL
         WHERE provider = $1 AND (state <> 'open' OR broken_streak > 0 OR broken_free_requests > 0)",
        &[&provider.as_str()],
    )
    .await?;
    if opened > 0 {
        tracing::info!(%provider, "gate opened");
    }
    conn.announce(Topic::Queue);
    Ok(())
}

/// Makes a gate half-open: reason and step stay until a request is accepted, and one small request at a time is tried.
pub(crate) async fn half_open(conn: &mut Conn, provider: Provider, now: Timestamp) -> Result<()> {
    conn.execute(
        "UPDATE provider_gates SET state = 'probing', closed_until = $2, probe_call = NULL, broken_streak = 0
         WHERE provider = $1",
        &[&provider.as_str(), &now.0],
    )
    .await?;
    tracing::info!(%provider, "gate half-open");
    conn.announce(Topic::Queue);
    Ok(())
}

/// Counts a sensible answer for the rate, and ends the streak of broken answers to that kind of request.
pub(crate) async fn note_success(conn: &mut Conn, provider: Provider, to: AnswerTo) -> Result<()> {
    conn.execute(
        "UPDATE provider_gates SET passed_since_limit = passed_since_limit + 1,
            broken_free_requests = CASE WHEN $2 = 1 THEN 0 ELSE broken_free_requests END,
            broken_streak = CASE WHEN $2 = 1 THEN broken_streak ELSE 0 END
         WHERE provider = $1",
        &[&provider.as_str(), &i64::from(to == AnswerTo::FreeRequest)],
    )
    .await?;
    Ok(())
}

/// Opens the gates that are probed by any of `calls`, because that call was accepted.
pub(crate) async fn open_probed(conn: &mut Conn, calls: &[i64]) -> Result<()> {
    if calls.is_empty() {
        return Ok(());
    }
    let probes: Vec<(String, i64)> = conn.fetch_all(
        "SELECT provider, probe_call FROM provider_gates WHERE probe_call IS NOT NULL ORDER BY provider",
        &[],
    )
    .await?;
    for (provider, call) in probes {
        if calls.contains(&call) {
            open(conn, parse_provider(&provider, call)?).await?;
        }
    }
    Ok(())
}
