//! Ending a call at its response, and releasing its people.

use db::{Conn, record};
use jobs::gate::AnswerTo;
use jobs::{CallKind, CallState, Credits, Timestamp};

use crate::calls::claimed::ClaimedCall;
use crate::error::Result;
use crate::gates::gate::Gate;
use crate::reveals::counters::Totals;

/// Returns the call if its broken answer counts as that of an order. Lookups say nothing about orders: like polls, they
/// are counted separately.
pub(super) fn broken_order(gate: &Gate, call: &ClaimedCall) -> Option<i64> {
    let is_order = call.kind == CallKind::Reveal || gate.probe_call == Some(call.id);
    is_order.then_some(call.id)
}

/// The kind of request that a sensible answer to the call answers.
pub(super) fn answer_to(call: &ClaimedCall) -> AnswerTo {
    match call.kind {
        CallKind::Reveal => AnswerTo::Order,
        CallKind::Lookup => AnswerTo::FreeRequest,
    }
}

/// The people in a call who have no answer from it, locked in the order of their ids.
pub(super) async fn still_in(conn: &mut Conn, call: i64) -> Result<Vec<i64>> {
    let ids: Vec<(i64,)> = conn.fetch_all(
        "SELECT r.id FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id AND r.call_id = m.call_id
         WHERE m.call_id = $1 AND r.state = 'asked' ORDER BY r.id FOR UPDATE OF r",
        &[&call],
    )
    .await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Ends a call that cost nothing. Returns false if it may have cost something after all, or was ended before. The call may
/// have been taken over as `unknown`, because its sender was silent for too long. The sender still knows better, unless a
/// result came since or UNKNOWN_GRACE repeated the call (it is `expired` then).
pub(super) async fn end_call(
    conn: &mut Conn,
    call: &ClaimedCall,
    state: CallState,
    outcome: &str,
    http_status: Option<u16>,
    now: Timestamp,
) -> Result<bool> {
    let moved = conn.execute(
        "UPDATE calls SET state = $3, outcome = $4, http_status = $5, finished_at = $6, deadline_at = NULL
         WHERE id = $1 AND worker_id = $2
           AND (state = 'sending' OR (state = 'unknown' AND open_people = people))",
        &[
            &call.id,
            &call.worker.to_string(),
            &state.as_str(),
            &outcome,
            &http_status.map(i64::from),
            &now.0,
        ],
    )
    .await?;
    Ok(moved == 1)
}

record! {
    /// A batch that pays for people in a call, and what is reserved for them.
    struct PayerRow {
        payer: i64,
        people: i64,
        amount: Credits = Credits::from_thousandths,
    }
}

/// Gives back the credits that the call had reserved. The amount stays on record: a result may still come.
pub(super) async fn release(
    conn: &mut Conn,
    totals: &mut Totals,
    call: &ClaimedCall,
) -> Result<()> {
    let reserved: Vec<PayerRow> = conn
        .fetch_all(
            "SELECT payer, COUNT(*) AS people, CAST(SUM(reserved) AS BIGINT) AS amount FROM call_reveals
             WHERE call_id = $1 AND credits IS NULL GROUP BY payer",
            &[&call.id],
        )
        .await?;
    for row in reserved {
        let people = call.kind.people_asked(row.people);
        totals.reserve(row.payer, call.provider, -people, -row.amount);
    }
    conn.execute(
        "UPDATE call_reveals SET reserved = -reserved, credits = 0 WHERE call_id = $1 AND credits IS NULL",
        &[&call.id],
    )
    .await?;
    Ok(())
}
