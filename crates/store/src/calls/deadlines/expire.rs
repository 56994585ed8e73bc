//! Ending calls without a result.

use db::{Conn, Ints};
use jobs::{CallState, Provider, RevealState, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;
use crate::results::last_poll::polled_in_vain;
use crate::results::taken_back::reserved_by_payer;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

/// How many calls one sweep ends at most.
pub(super) const AT_ONCE: i64 = 200;

/// A call to be looked at, and its provider.
pub(crate) type Looked = (i64, Provider);

pub(super) fn looked(found: Vec<(i64, String)>) -> Result<Vec<Looked>> {
    found.into_iter().map(|(id, provider)| Ok((id, parse_provider(&provider, id)?))).collect()
}

/// Locks calls, and then all people in them, each in the order of their ids. Locking one call after the other would lock
/// people in no order, and deadlock with a submit that names some of them.
pub(crate) async fn lock_all(conn: &mut Conn, calls: &[Looked]) -> Result<()> {
    let ids: Vec<i64> = calls.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let _: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT c.id FROM IDS($1) AS e JOIN calls c ON c.id = e.value
             ORDER BY c.id FOR UPDATE",
            &[&Ints::of(&ids)],
        )
        .await?;
    let _: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT r.id FROM IDS($1) AS e JOIN call_reveals m ON m.call_id = e.value
             JOIN reveals r ON r.id = m.reveal_id ORDER BY r.id FOR UPDATE OF r",
            &[&Ints::of(&ids)],
        )
        .await?;
    Ok(())
}

/// Ends a call without a result. The credits reserved for its people may have been spent.
pub(crate) async fn expire_call(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    call: i64,
    now: Timestamp,
) -> Result<()> {
    let state: Option<(String,)> = conn
        .fetch_optional(
            "SELECT state FROM calls WHERE id = $1 AND deadline_at IS NOT NULL FOR UPDATE",
            &[&call],
        )
        .await?;
    let Some((state,)) = state else { return Ok(()) };
    if state == CallState::Expired.as_str() {
        return polled_in_vain(conn, call, now).await;
    }
    let unknown = state == CallState::Unknown.as_str();
    end_without_result(conn, totals, provider, call, "expired: no result came").await?;
    let ids = waiting_on(conn, call).await?;
    let reason = if unknown { "outcome_unknown" } else { "no_result" };
    let change = Change { reason: Some(reason), ..Change::to(RevealState::Expired) };
    shift(conn, totals, provider, &ids, change, now).await?;
    conn.announce(Topic::Queue);
    Ok(())
}

pub(super) async fn end_without_result(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    call: i64,
    outcome: &str,
) -> Result<()> {
    conn.execute(
        "UPDATE calls SET state = 'expired', outcome = $2, deadline_at = NULL, poll_at = NULL, poll_lease = NULL
         WHERE id = $1",
        &[&call, &outcome],
    )
    .await?;
    for (payer, credits) in reserved_by_payer(conn, call).await? {
        totals.write_off(payer, provider, credits);
    }
    Ok(())
}

/// The people who wait for this call and no other, locked in the order of their ids.
pub(super) async fn waiting_on(conn: &mut Conn, call: i64) -> Result<Vec<i64>> {
    let ids: Vec<(i64,)> = conn.fetch_all(
        "SELECT r.id FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id
         WHERE m.call_id = $1 AND r.call_id = $1 AND r.state = 'asked' ORDER BY r.id FOR UPDATE OF r",
        &[&call],
    )
    .await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}
