//! Records the outcome of a request. A response moves a call only out of `sending`: it does not overrule a worker that took
//! the call over meanwhile, or a webhook that was faster. The exception is a response that certainly cost nothing: it also
//! ends a call that was taken over, as long as no result came.

pub(crate) mod refused;

use db::Conn;
use jobs::verdict::Verdict;
use jobs::{CallKind, CallState, Policy, RevealState, Timestamp};

use crate::calls::Calls;
use crate::calls::claimed::{Answer, ClaimedCall};
use crate::calls::deadlines::expire::lock_all;
use crate::calls::deadlines::repeat::look_up_again;
use crate::calls::ended::{broken_order, end_call, release, still_in};
use crate::calls::response::refused::refuse;
use crate::error::{Result, StoreError};
use crate::gates::gate::Gate;
use crate::gates::{closing, state};
use crate::results::taken_back::rejoin_accepted;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

impl Calls<'_> {
    /// Records that the request left and its outcome is unknown: the call waits like an accepted one.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_unknown(self, answer: Answer, why: String, policy: &Policy) -> Result<()> {
        let (now, policy) = (self.store.now(), policy.clone());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move { unknown(conn, &answer, &why, &policy, now).await })
            })
            .await
    }

    /// Records an undocumented 2xx answer: the provider may have accepted the order. The order is never sent again, and
    /// the next one waits.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_undocumented(
        self,
        answer: Answer,
        tracking_id: Option<String>,
        why: String,
        policy: &Policy,
    ) -> Result<()> {
        let (now, policy) = (self.store.now(), policy.clone());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let call = &answer.call;
                    closing::undocumented(conn, call.provider, call.id, &why, &policy, now).await?;
                    mark_accepted_perhaps(conn, &answer, tracking_id, &why, &policy, now).await
                })
            })
            .await
    }

    /// Records that the provider did not take the order; nothing was spent.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_refused(
        self,
        answer: Answer,
        outcome: String,
        verdict: Verdict,
        policy: &Policy,
    ) -> Result<()> {
        let (now, policy) = (self.store.now(), policy.clone());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let mut totals = Totals::default();
                    refuse(conn, &mut totals, &answer, &outcome, verdict, &policy, now).await?;
                    totals.flush(conn, now).await
                })
            })
            .await
    }

    /// Records that the request never left this machine; its people go back into the queue.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn give_back(self, call: ClaimedCall, why: String) -> Result<()> {
        let now = self.store.now();
        self.store
            .db
            .write(move |conn| Box::pin(async move { unsent(conn, &call, &why, now).await }))
            .await
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
    closing::broken(conn, call.provider, &gate, broken_order(&gate, call), why, policy, now)
        .await?;
    if call.kind == CallKind::Reveal {
        return mark_unknown(conn, call.id, why, answer.http_status, policy, now).await;
    }
    let mut totals = Totals::default();
    let lookup = (call.id, call.provider);
    lock_all(conn, &[lookup]).await?;
    let answered = (why, answer.http_status);
    look_up_again(conn, &mut totals, lookup, answered, policy.max_attempts, now).await?;
    totals.flush(conn, now).await
}

/// Moves the call from `sending` to `unknown`, unless it had left `sending` already. Its people show the new state.
pub(crate) async fn mark_unknown(
    conn: &mut Conn,
    call: i64,
    why: &str,
    http_status: Option<u16>,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    conn.execute(
        "UPDATE calls SET state = 'unknown', outcome = $2, http_status = $3, finished_at = $4,
            deadline_at = sent_at + $5
         WHERE id = $1 AND state = 'sending'",
        &[
            &call,
            &format!("unknown: {why}"),
            &http_status.map(i64::from),
            &now.0,
            &i64::try_from(policy.result_deadline.as_millis()).unwrap_or(i64::MAX / 2),
        ],
    )
    .await?;
    Ok(())
}

/// Moves the call from `sending` to `accepted`, unless it had left `sending` already.
async fn mark_accepted_perhaps(
    conn: &mut Conn,
    answer: &Answer,
    tracking_id: Option<String>,
    why: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let poll_at = tracking_id.as_ref().map(|_| (now + policy.webhook_grace).0);
    conn.execute(
        "UPDATE calls SET state = 'accepted', outcome = $2, http_status = $3, finished_at = $4,
            deadline_at = $5, tracking_id = $6, poll_at = $7
         WHERE id = $1 AND state = 'sending'",
        &[
            &answer.call.id,
            &format!("accepted perhaps: undocumented answer: {why}"),
            &answer.http_status.map(i64::from),
            &now.0,
            &(answer.call.sent_at + policy.result_deadline).0,
            &tracking_id,
            &poll_at,
        ],
    )
    .await?;
    Ok(())
}

async fn unsent(conn: &mut Conn, call: &ClaimedCall, why: &str, now: Timestamp) -> Result<()> {
    let gate = Gate::lock(conn, call.provider).await?;
    if !end_call(conn, call, CallState::Unsent, &format!("unsent: {why}"), None, now).await? {
        return Err(StoreError::Lost {
            what: format!("call {}", call.call_id),
            why: "another worker considered it lost",
        });
    }
    let mut totals = Totals::default();
    release(conn, &mut totals, call).await?;
    let ids = still_in(conn, call.id).await?;
    shift(conn, &mut totals, call.provider, &ids, Change::to(RevealState::Queued), now).await?;
    rejoin_accepted(conn, &mut totals, call.provider, &ids, now).await?;
    if gate.probe_call == Some(call.id) {
        state::half_open(conn, call.provider, now).await?;
    }
    conn.announce(Topic::Queue);
    totals.flush(conn, now).await
}
