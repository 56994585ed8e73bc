//! Writing down that orders were taken, all that come together at once.

use std::collections::HashSet;

use jobs::{Policy, Provider, RevealState, Timestamp};
use serde::Serialize;

use crate::answer::{leave_cohort, still_sending};
use crate::conn::{Conn, exec, rows};
use crate::gate;
use crate::totals::{Totals, json};
use crate::transition::{Change, shift};
use crate::writer::BoxFuture;
use crate::{Answer, Result, Store, Topic};

/// An order that was taken, as it is written.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Accepted {
    #[serde(skip)]
    provider: Provider,
    #[serde(skip)]
    now: Timestamp,
    id: i64,
    worker: String,
    tracking_id: Option<String>,
    http_status: Option<u16>,
    deadline_at: i64,
    poll_at: Option<i64>,
}

impl Store {
    /// The provider took the order.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_accepted(
        &self,
        answer: Answer,
        tracking_id: Option<String>,
        policy: &Policy,
    ) -> Result<()> {
        let Answer { call, http_status } = answer;
        let accepted = Accepted {
            provider: call.provider,
            id: call.id,
            worker: call.worker.to_string(),
            poll_at: tracking_id.as_ref().map(|_| (self.now() + policy.webhook_grace).0),
            tracking_id,
            http_status,
            deadline_at: (call.sent_at + policy.result_deadline).0,
            now: self.now(),
        };
        self.groups()?.acceptances.write(accepted).await?;
        self.passed().count_accepted(call.provider, self.now());
        Ok(())
    }
}

/// Writes down orders that were taken.
pub(crate) fn write_all(conn: &mut Conn, accepted: Vec<Accepted>) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        let Some(now) = accepted.iter().map(|one| one.now).max() else { return Ok(()) };
        let calls: Vec<i64> = accepted.iter().map(|one| one.id).collect();
        gate::open_probed(conn, &calls).await?;
        let mut totals = Totals::default();
        for provider in Provider::ALL {
            let own: Vec<&Accepted> =
                accepted.iter().filter(|one| one.provider == provider).collect();
            write(conn, &mut totals, provider, &own, now).await?;
        }
        if accepted.iter().any(|one| one.poll_at.is_some()) {
            conn.announce(Topic::Polls);
        }
        totals.flush(conn, now).await
    })
}

async fn write(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    accepted: &[&Accepted],
    now: Timestamp,
) -> Result<()> {
    if accepted.is_empty() {
        return Ok(());
    }
    let moved: Vec<(i64,)> = rows!(
        conn,
        "UPDATE calls SET state = 'accepted', outcome = 'accepted', tracking_id = e.value->>'tracking_id',
            http_status = CAST(e.value->>'http_status' AS BIGINT), finished_at = $2,
            deadline_at = CAST(e.value->>'deadline_at' AS BIGINT), poll_at = CAST(e.value->>'poll_at' AS BIGINT)
         FROM EACH($1) AS e
         WHERE calls.id = CAST(e.value->>'id' AS BIGINT) AND worker_id = e.value->>'worker' AND state = 'sending'
         RETURNING calls.id",
        json(&accepted),
        now.0,
    )?;
    let moved: HashSet<i64> = moved.into_iter().map(|(id,)| id).collect();
    let calls: Vec<i64> = moved.iter().copied().collect();
    let ids = still_sending(conn, &calls).await?;
    shift(conn, totals, provider, &ids, Change::to(RevealState::Awaiting), now).await?;
    leave_cohort(conn, &ids).await?;
    let elsewhere: Vec<&Accepted> =
        accepted.iter().copied().filter(|one| !moved.contains(&one.id)).collect();
    note(conn, &elsewhere, now).await
}

/// Calls whose webhook was faster, or that were taken for lost: what the answer tells is still worth
/// having. A call that is known to be paid for is not sent again, whatever UNKNOWN_GRACE says.
async fn note(conn: &mut Conn, elsewhere: &[&Accepted], now: Timestamp) -> Result<()> {
    if elsewhere.is_empty() {
        return Ok(());
    }
    exec!(
        conn,
        "UPDATE calls SET tracking_id = COALESCE(tracking_id, e.value->>'tracking_id'),
            http_status = CAST(e.value->>'http_status' AS BIGINT), finished_at = COALESCE(finished_at, $2),
            outcome = CASE WHEN state = 'unknown' THEN 'accepted' ELSE COALESCE(outcome, 'accepted') END,
            state = CASE WHEN state = 'unknown' THEN 'accepted' ELSE state END,
            poll_at = CASE WHEN state IN ('accepted', 'unknown')
                           THEN COALESCE(poll_at, CAST(e.value->>'poll_at' AS BIGINT)) END
         FROM EACH($1) AS e WHERE calls.id = CAST(e.value->>'id' AS BIGINT)",
        json(&elsewhere),
        now.0,
    )?;
    Ok(())
}
