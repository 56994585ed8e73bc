//! Requests of unknown outcome that the user wants sent again.

use db::{Conn, Ints};
use jobs::{Provider, RevealState, Timestamp};

use crate::calls::deadlines::expire::{
    AT_ONCE, Looked, end_without_result, lock_all, looked, waiting_on,
};
use crate::error::Result;
use crate::results::taken_back::rejoin_accepted;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

/// With UNKNOWN_GRACE set, sends again requests that may never have arrived, at the user's risk of paying twice. A request
/// with any result did arrive. The old call stays on record, and its webhook would still find its people.
pub(super) async fn repeat_unknown(
    conn: &mut Conn,
    before: Timestamp,
    max_attempts: i64,
    now: Timestamp,
) -> Result<usize> {
    const UNKNOWN: &str = "SELECT id, provider FROM calls
         WHERE provider = $1 AND state = 'unknown' AND sent_at <= $2 AND tracking_id IS NULL AND open_people = people
         ORDER BY sent_at LIMIT $3";
    let mut old = Vec::new();
    for provider in Provider::ALL {
        let found: Vec<(i64, String)> =
            conn.fetch_all(UNKNOWN, &[&provider.as_str(), &before.0, &AT_ONCE]).await?;
        old.extend(looked(found)?);
    }
    lock_all(conn, &old).await?;
    let mut totals = Totals::default();
    let mut repeated = 0;
    for &(call, provider) in &old {
        // The call's webhook, or another worker, may have been faster than the lock.
        const OPEN: &str = "SELECT CAST(CASE WHEN state = 'unknown' AND open_people = people THEN 1 ELSE 0 END AS BIGINT)
             FROM calls WHERE id = $1";
        let open: i64 = conn.fetch_value(OPEN, &[&call]).await?;
        if open == 1 {
            let outcome = "unknown: sent again";
            let expired =
                Change { reason: Some("outcome_unknown"), ..Change::to(RevealState::Expired) };
            repeat(conn, &mut totals, (call, provider), outcome, (max_attempts, expired), now)
                .await?;
            repeated += 1;
        }
    }
    totals.flush(conn, now).await?;
    Ok(repeated)
}

/// Asks again a lookup whose outcome is unknown. Unlike a reveal, it needs no setting for that, since no webhook will bring
/// its answer. Ocean has no idempotency key, so people who match may be charged once more. That is a twentieth of a credit,
/// where giving up would cost the number, and MAX_ATTEMPTS bounds it. The credits that the first lookup may have cost are
/// written off, so that ceilings hold.
pub(crate) async fn look_up_again(
    conn: &mut Conn,
    totals: &mut Totals,
    (call, provider): Looked,
    (why, http_status): (&str, Option<u16>),
    max_attempts: i64,
    now: Timestamp,
) -> Result<()> {
    // The lookup's answer may have been faster.
    let open = conn.execute(
        "UPDATE calls SET http_status = $2, finished_at = $3 WHERE id = $1 AND state = 'sending'",
        &[&call, &http_status.map(i64::from), &now.0],
    )
    .await?;
    if open == 0 {
        return Ok(());
    }
    let reason = format!("lookup: gave up after {max_attempts} attempts: {why}");
    let failed = Change { reason: Some(&reason), attempts: 1, ..Change::to(RevealState::Failed) };
    let outcome = format!("unknown: {why}; asked again");
    repeat(conn, totals, (call, provider), &outcome, (max_attempts, failed), now).await
}

/// Queues the people again; people who were asked too often end as `gave_up`.
async fn repeat(
    conn: &mut Conn,
    totals: &mut Totals,
    (call, provider): Looked,
    outcome: &str,
    (max_attempts, gave_up): (i64, Change<'_>),
    now: Timestamp,
) -> Result<()> {
    end_without_result(conn, totals, provider, call, outcome).await?;
    let ids = waiting_on(conn, call).await?;
    let spent: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT id FROM reveals WHERE attempts + 1 >= $2
             AND id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(&ids), &max_attempts],
        )
        .await?;
    let spent: Vec<i64> = spent.into_iter().map(|(id,)| id).collect();
    let again: Vec<i64> = ids.into_iter().filter(|id| !spent.contains(id)).collect();
    shift(conn, totals, provider, &spent, gave_up, now).await?;
    let change = Change { attempts: 1, ..Change::to(RevealState::Queued) };
    shift(conn, totals, provider, &again, change, now).await?;
    // An earlier request for people who were sent again before may have been accepted after all.
    rejoin_accepted(conn, totals, provider, &again, now).await?;
    conn.execute(
        "UPDATE reveals SET repeat_of = $2, isolation_group = NULL
         WHERE state <> 'asked' AND id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&again), &call],
    )
    .await?;
    conn.announce(Topic::Queue);
    Ok(())
}
