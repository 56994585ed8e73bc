//! Writing down what became of a request. A response moves a call only out of `sending`: whoever
//! took the call over meanwhile, or a webhook that was faster, is not overruled. What certainly cost
//! nothing is the exception: it also ends a call that was taken over, as long as nothing came of it.

mod refused;

pub(crate) use self::refused::refuse;
use jobs::verdict::Verdict;
use jobs::{CallState, Credits, Policy, RevealState, Timestamp};

use crate::conn::{Conn, exec, rows};
use crate::gate::{self, Gate};
use crate::totals::Totals;
use crate::transition::{Change, shift};
use crate::{ClaimedCall, Result, Store, StoreError};

/// What came of a call, and the response's status where there was one.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The call.
    pub call: ClaimedCall,
    /// Its HTTP status.
    pub http_status: Option<u16>,
}

impl Store {
    /// The request left and its fate is not known: it waits like an accepted one.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_unknown(&self, answer: Answer, why: String, policy: &Policy) -> Result<()> {
        let (now, policy) = (self.now(), policy.clone());
        self.write(move |conn| {
            Box::pin(async move { unknown(conn, &answer, &why, &policy, now).await })
        })
        .await
    }

    /// The provider answered with a 2xx that nobody documented: it may have taken the order, which is never sent
    /// again, and the next one waits.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_undocumented(
        &self,
        answer: Answer,
        tracking_id: Option<String>,
        why: String,
        policy: &Policy,
    ) -> Result<()> {
        let (now, policy) = (self.now(), policy.clone());
        self.write(move |conn| {
            Box::pin(async move {
                let call = &answer.call;
                gate::undocumented(conn, call.provider, call.id, &why, &policy, now).await?;
                mark_accepted_perhaps(conn, &answer, tracking_id, &why, &policy, now).await
            })
        })
        .await
    }

    /// The provider did not take the order; nothing was spent.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_refused(
        &self,
        answer: Answer,
        outcome: String,
        verdict: Verdict,
        policy: &Policy,
    ) -> Result<()> {
        let (now, policy) = (self.now(), policy.clone());
        self.write(move |conn| {
            Box::pin(async move {
                let mut totals = Totals::default();
                refuse(conn, &mut totals, &answer, &outcome, verdict, &policy, now).await?;
                totals.flush(conn, now).await
            })
        })
        .await
    }

    /// The request never left this machine; its people go back into the queue.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn give_back(&self, call: ClaimedCall, why: String) -> Result<()> {
        let now = self.now();
        self.write(move |conn| Box::pin(async move { unsent(conn, &call, &why, now).await })).await
    }
}

async fn unknown(
    conn: &mut Conn,
    answer: &Answer,
    why: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let call = &answer.call;
    let gate = Gate::lock(conn, call.provider).await?;
    gate::broken(conn, call.provider, &gate, Some(call.id), why, policy, now).await?;
    mark_unknown(conn, call.id, why, answer.http_status, policy, now).await
}

/// From `sending` to `unknown`, unless the call was elsewhere already. Its people show it.
pub(crate) async fn mark_unknown(
    conn: &mut Conn,
    call: i64,
    why: &str,
    http_status: Option<u16>,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    exec!(
        conn,
        "UPDATE calls SET state = 'unknown', outcome = $2, http_status = $3, finished_at = $4,
            deadline_at = sent_at + $5
         WHERE id = $1 AND state = 'sending'",
        call,
        format!("unknown: {why}"),
        http_status.map(i64::from),
        now.0,
        i64::try_from(policy.result_deadline.as_millis()).unwrap_or(i64::MAX / 2),
    )?;
    Ok(())
}

/// From `sending` to `accepted`, unless the call was elsewhere already.
async fn mark_accepted_perhaps(
    conn: &mut Conn,
    answer: &Answer,
    tracking_id: Option<String>,
    why: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let poll_at = tracking_id.as_ref().map(|_| (now + policy.webhook_grace).0);
    exec!(
        conn,
        "UPDATE calls SET state = 'accepted', outcome = $2, http_status = $3, finished_at = $4,
            deadline_at = $5, tracking_id = $6, poll_at = $7
         WHERE id = $1 AND state = 'sending'",
        answer.call.id,
        format!("accepted perhaps: undocumented answer: {why}"),
        answer.http_status.map(i64::from),
        now.0,
        (answer.call.sent_at + policy.result_deadline).0,
        tracking_id,
        poll_at,
    )?;
    Ok(())
}

/// Everybody in a call who has no answer from it, locked in the order of their numbers.
async fn still_in(conn: &mut Conn, call: i64) -> Result<Vec<i64>> {
    let ids: Vec<(i64,)> = rows!(
        conn,
        "SELECT r.id FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id AND r.call_id = m.call_id
         WHERE m.call_id = $1 AND r.state = 'asked' ORDER BY r.id FOR UPDATE OF r",
        call,
    )?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Ends a call that cost nothing; false if it may have cost something after all, or was ended before.
/// Its sender may have been silent for so long that it was taken over as `unknown`. Unless a result
/// came since, or UNKNOWN_GRACE had it repeated (it is `expired` then), the sender knows better.
async fn end_call(
    conn: &mut Conn,
    call: &ClaimedCall,
    state: CallState,
    outcome: &str,
    http_status: Option<u16>,
    now: Timestamp,
) -> Result<bool> {
    let moved = exec!(
        conn,
        "UPDATE calls SET state = $3, outcome = $4, http_status = $5, finished_at = $6, deadline_at = NULL
         WHERE id = $1 AND worker_id = $2
           AND (state = 'sending' OR (state = 'unknown' AND open_people = people))",
        call.id,
        call.worker.to_string(),
        state.as_str(),
        outcome,
        http_status.map(i64::from),
        now.0,
    )?;
    Ok(moved == 1)
}

/// Gives back what the call had reserved. How much it was stays on record: a result may still come.
async fn release(conn: &mut Conn, totals: &mut Totals, call: &ClaimedCall) -> Result<()> {
    let reserved: Vec<(i64, i64, i64)> = rows!(
        conn,
        "SELECT payer, COUNT(*), CAST(SUM(reserved) AS BIGINT) FROM call_reveals
         WHERE call_id = $1 AND credits IS NULL GROUP BY payer",
        call.id,
    )?;
    for (payer, people, credits) in reserved {
        totals.reserve(payer, call.provider, -people, -Credits::from_thousandths(credits));
    }
    exec!(
        conn,
        "UPDATE call_reveals SET reserved = -reserved, credits = 0 WHERE call_id = $1 AND credits IS NULL",
        call.id,
    )?;
    Ok(())
}

async fn unsent(conn: &mut Conn, call: &ClaimedCall, why: &str, now: Timestamp) -> Result<()> {
    let gate = Gate::lock(conn, call.provider).await?;
    if !end_call(conn, call, CallState::Unsent, &format!("unsent: {why}"), None, now).await? {
        return Err(StoreError::Lost {
            what: format!("call {}", call.call_id),
            why: "another worker took it for lost",
        });
    }
    let mut totals = Totals::default();
    release(conn, &mut totals, call).await?;
    let ids = still_in(conn, call.id).await?;
    shift(conn, &mut totals, call.provider, &ids, Change::to(RevealState::Queued), now).await?;
    if gate.probe_call == Some(call.id) {
        gate::half_open(conn, call.provider, now).await?;
    }
    conn.announce(crate::Topic::Queue);
    totals.flush(conn, now).await
}
