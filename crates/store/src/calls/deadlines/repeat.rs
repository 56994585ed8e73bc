//! Requests of unknown outcome that the user wants sent again.

use db::{Conn, exec, json, rows, value};
use jobs::{CallState, Provider, RevealState, Timestamp};

use crate::calls::deadlines::expire::{AT_ONCE, end_without_result, lock_all, looked, waiting_on};
use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

/// With UNKNOWN_GRACE set, what may never have arrived is asked again, at the user's risk of paying
/// twice. The old call stays on record, and its webhook would still find its people.
pub(super) async fn repeat_unknown(
    conn: &mut Conn,
    before: Timestamp,
    max_attempts: i64,
    now: Timestamp,
) -> Result<usize> {
    const UNKNOWN: &str = "SELECT id, provider FROM calls
         WHERE provider = $1 AND state = 'unknown' AND sent_at <= $2 AND tracking_id IS NULL
         ORDER BY sent_at LIMIT $3";
    let mut old = Vec::new();
    for provider in Provider::ALL {
        let found: Vec<(i64, String)> = rows!(conn, UNKNOWN, provider.as_str(), before.0, AT_ONCE)?;
        old.extend(looked(found)?);
    }
    lock_all(conn, &old).await?;
    let mut totals = Totals::default();
    let mut repeated = 0;
    for &(call, provider) in &old {
        // Its webhook, or another worker, may have been faster than the lock.
        let state: String = value!(conn, "SELECT state FROM calls WHERE id = $1", call)?;
        if state == CallState::Unknown.as_str() {
            repeat(conn, &mut totals, provider, call, max_attempts, now).await?;
            repeated += 1;
        }
    }
    totals.flush(conn, now).await?;
    Ok(repeated)
}

async fn repeat(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    call: i64,
    max_attempts: i64,
    now: Timestamp,
) -> Result<()> {
    end_without_result(conn, totals, provider, call, "unknown: sent again").await?;
    let ids = waiting_on(conn, call).await?;
    let spent: Vec<(i64,)> = rows!(
        conn,
        "SELECT id FROM reveals WHERE attempts + 1 >= $2
         AND id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
        max_attempts,
    )?;
    let spent: Vec<i64> = spent.into_iter().map(|(id,)| id).collect();
    let again: Vec<i64> = ids.into_iter().filter(|id| !spent.contains(id)).collect();
    let expired = Change { reason: Some("outcome_unknown"), ..Change::to(RevealState::Expired) };
    shift(conn, totals, provider, &spent, expired, now).await?;
    let change = Change { attempts: 1, ..Change::to(RevealState::Queued) };
    shift(conn, totals, provider, &again, change, now).await?;
    exec!(
        conn,
        "UPDATE reveals SET repeat_of = $2, cohort = NULL WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&again),
        call,
    )?;
    conn.announce(Topic::Queue);
    Ok(())
}
