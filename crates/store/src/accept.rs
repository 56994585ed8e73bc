//! Writing down that orders were taken. The answers that come in while one transaction runs share the
//! next one, so that many small requests cost few statements.

use std::collections::{BTreeMap, HashSet};

use jobs::{Policy, Provider, RevealState, Timestamp};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::answer::{leave_cohort, still_sending};
use crate::conn::{Conn, exec, rows};
use crate::gate::{self, Gate};
use crate::totals::{Totals, json};
use crate::transition::{Change, shift};
use crate::{Answer, Result, Store, StoreError};

/// Answers that one transaction holds at most.
const AT_ONCE: usize = 500;
/// If so many in a row can't be written one by one, none of them is to blame.
const ENOUGH: usize = 3;

/// An order that was taken, as it is written.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Accepted {
    #[serde(skip)]
    provider: Provider,
    id: i64,
    worker: String,
    tracking_id: Option<String>,
    http_status: Option<u16>,
    deadline_at: i64,
    poll_at: Option<i64>,
}

/// The way to the task that writes them.
pub(crate) type Accepting = mpsc::UnboundedSender<(Accepted, Reply)>;

type Reply = oneshot::Sender<Result<()>>;

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
        };
        let (reply, written) = oneshot::channel();
        let gone = || StoreError::Database(sqlx::Error::PoolClosed);
        let accepting = self.accepting.as_ref().ok_or_else(gone)?;
        accepting.send((accepted, reply)).map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }

    /// Starts the task that writes acceptances; it ends with the last `Store`.
    pub(crate) fn start_accepting(&self) -> Accepting {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Accepted, Reply)>();
        // Without its own sender, or the task would keep itself alive.
        let store = self.clone();
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(AT_ONCE);
            while receiver.recv_many(&mut waiting, AT_ONCE).await > 0 {
                store.accept_all(std::mem::take(&mut waiting)).await;
            }
        });
        sender
    }

    async fn accept_all(&self, waiting: Vec<(Accepted, Reply)>) {
        let (accepted, replies): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        match self.write_accepted(accepted.clone()).await {
            Err(_) if accepted.len() > 1 => self.accept_each(accepted, replies).await,
            written => {
                let mut written = Some(written);
                for reply in replies {
                    // A caller that has gone away has no use for it.
                    let _ = reply.send(written.take().unwrap_or(Ok(())));
                }
            }
        }
    }

    /// One of them may be to blame: each is written on its own, gets its own answer, and keeps none of
    /// the others from theirs.
    async fn accept_each(&self, accepted: Vec<Accepted>, replies: Vec<Reply>) {
        let mut in_vain = 0;
        for (one, reply) in accepted.into_iter().zip(replies) {
            let written = match in_vain {
                ENOUGH => Err(StoreError::shared("nothing can be written down just now")),
                _ => self.write_accepted(vec![one]).await,
            };
            in_vain = if written.is_ok() { 0 } else { ENOUGH.min(in_vain + 1) };
            let _ = reply.send(written);
        }
    }

    async fn write_accepted(&self, accepted: Vec<Accepted>) -> Result<()> {
        let now = self.now();
        self.write(move |conn| Box::pin(async move { write_all(conn, accepted, now).await })).await
    }
}

async fn write_all(conn: &mut Conn, accepted: Vec<Accepted>, now: Timestamp) -> Result<()> {
    let mut providers: BTreeMap<Provider, Vec<Accepted>> = BTreeMap::new();
    for one in accepted {
        providers.entry(one.provider).or_default().push(one);
    }
    let mut totals = Totals::default();
    for (provider, accepted) in providers {
        let gate = Gate::lock(conn, provider).await?;
        let calls: Vec<i64> = accepted.iter().map(|one| one.id).collect();
        gate::accepted(conn, provider, &gate, &calls, now).await?;
        write(conn, &mut totals, provider, &accepted, now).await?;
    }
    totals.flush(conn, now).await
}

async fn write(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    accepted: &[Accepted],
    now: Timestamp,
) -> Result<()> {
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
        accepted.iter().filter(|one| !moved.contains(&one.id)).collect();
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
