//! Records accepted orders, all that arrive together in one write. Reveals are not touched: a reveal that was asked
//! shows as `sending` or `awaiting` by the state of its call.

use std::collections::HashMap;
use std::time::Duration;

use db::bulk::{Columns, ints, same, texts, write_rows};
use db::{BoxFuture, Conn, Ints, Item, record};
use jobs::{CallState, Policy, Timestamp};

use crate::calls::Calls;
use crate::calls::claimed::Answer;
use crate::error::{Result, StoreError};
use crate::gates::good_answers::GoodAnswers;
use crate::gates::state;
use crate::results::taken_back::take_back;
use crate::reveals::counters::Totals;
use crate::topic::Topic;

/// A worker looks for polls every few seconds without being woken. Only a poll that is due sooner wakes it.
const SOON: Duration = Duration::from_secs(10);

/// An accepted order, as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    now: Timestamp,
    id: i64,
    worker: String,
    probe: bool,
    tracking_id: Option<String>,
    http_status: Option<u16>,
    deadline_at: i64,
    /// The time from sending to the deadline, milliseconds.
    deadline: i64,
    poll_at: Option<i64>,
}

impl Calls<'_> {
    /// Records that the provider took the order.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_accepted(
        self,
        answer: Answer,
        tracking_id: Option<String>,
        policy: &Policy,
    ) -> Result<()> {
        let Answer { call, http_status } = answer;
        let accepted = Accepted {
            id: call.id,
            worker: call.worker.to_string(),
            probe: call.probe,
            poll_at: tracking_id.as_ref().map(|_| (self.store.now() + policy.webhook_grace).0),
            tracking_id,
            http_status,
            deadline_at: (call.sent_at + policy.result_deadline).0,
            deadline: (call.sent_at + policy.result_deadline).0 - call.sent_at.0,
            now: self.store.now(),
        };
        self.store.batchers.write(accepted).await?;
        GoodAnswers::of(self.store.db.attached()).count_accepted(call.provider, self.store.now());
        Ok(())
    }
}

impl Item for Accepted {
    type Output = ();
    type Error = StoreError;

    /// Records accepted orders.
    fn write_all(conn: &mut Conn, accepted: Vec<Self>) -> BoxFuture<'_, Result<Vec<()>>> {
        Box::pin(async move {
            let outputs = vec![(); accepted.len()];
            let Some(now) = accepted.iter().map(|one| one.now).max() else { return Ok(outputs) };
            let probes: Vec<i64> =
                accepted.iter().filter(|one| one.probe).map(|one| one.id).collect();
            state::open_probed(conn, &probes).await?;
            let found = lock(conn, &accepted).await?;
            let (moving, elsewhere): (Vec<_>, Vec<_>) =
                accepted.iter().partition(|one| one.is_sending(&found));
            write(conn, &moving, now).await?;
            note(conn, &elsewhere, now).await?;
            take_back_repeats(conn, &elsewhere, &found, now).await?;
            let soon = (now + SOON).0;
            if accepted.iter().any(|one| one.poll_at.is_some_and(|at| at < soon)) {
                conn.announce(Topic::Polls);
            }
            Ok(outputs)
        })
    }
}

/// The worker that sent a call, and the call's state.
type Standing = (String, String);

record! {
    /// A call, the worker that sent it, and its state.
    struct CallRow {
        id: i64,
        worker_id: String,
        state: String,
    }
}

/// Locks the calls in the order of their ids.
async fn lock(conn: &mut Conn, accepted: &[Accepted]) -> Result<HashMap<i64, Standing>> {
    let rows: Vec<CallRow> = conn
        .fetch_all(
            "SELECT c.id, c.worker_id, c.state FROM IDS($1) AS e
             JOIN calls c ON c.id = e.value ORDER BY c.id FOR UPDATE",
            &[&Ints::of(accepted.iter().map(|one| one.id))],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, (row.worker_id, row.state))).collect())
}

impl Accepted {
    /// Whether the call still waits for its answer, from this worker.
    fn is_sending(&self, found: &HashMap<i64, Standing>) -> bool {
        let standing = found.get(&self.id);
        standing.is_some_and(|(worker, state)| {
            *worker == self.worker && state == CallState::Sending.as_str()
        })
    }
}

async fn write(conn: &mut Conn, accepted: &[&Accepted], now: Timestamp) -> Result<()> {
    write_rows(
        conn,
        "UPDATE calls SET state = 'accepted', outcome = 'accepted', tracking_id = e.tracking_id,
            http_status = e.http_status, finished_at = e.now, deadline_at = e.deadline_at, poll_at = e.poll_at
         FROM ROWS WHERE calls.id = e.id",
        columns(accepted, now),
    )
    .await?;
    Ok(())
}

/// Updates calls whose webhook was faster, or that were considered lost: the answer's details are still worth having. A
/// call that is known to be paid for is not sent again, whatever UNKNOWN_GRACE says.
async fn note(conn: &mut Conn, elsewhere: &[&Accepted], now: Timestamp) -> Result<()> {
    write_rows(
        conn,
        "UPDATE calls SET tracking_id = COALESCE(calls.tracking_id, e.tracking_id),
            http_status = e.http_status, finished_at = COALESCE(calls.finished_at, e.now),
            outcome = CASE WHEN calls.state = 'unknown' THEN 'accepted' ELSE COALESCE(calls.outcome, 'accepted') END,
            state = CASE WHEN calls.state = 'unknown' THEN 'accepted' ELSE calls.state END,
            poll_at = CASE WHEN calls.state IN ('accepted', 'unknown') THEN COALESCE(calls.poll_at, e.poll_at) END
         FROM ROWS WHERE calls.id = e.id",
        columns(elsewhere, now),
    )
    .await?;
    Ok(())
}

/// Takes back calls that were to be sent again after UNKNOWN_GRACE: their results are waited for after all.
async fn take_back_repeats(
    conn: &mut Conn,
    elsewhere: &[&Accepted],
    found: &HashMap<i64, Standing>,
    now: Timestamp,
) -> Result<()> {
    let expired = |one: &&&Accepted| {
        found.get(&one.id).is_some_and(|(_, state)| *state == CallState::Expired.as_str())
    };
    let mut totals = Totals::default();
    for one in elsewhere.iter().filter(expired) {
        take_back(conn, &mut totals, one.id, one.deadline, now).await?;
    }
    totals.flush(conn, now).await
}

fn columns(accepted: &[&Accepted], now: Timestamp) -> Columns {
    vec![
        ("id", ints(accepted.iter().map(|one| one.id))),
        ("tracking_id", texts(accepted.iter().map(|one| one.tracking_id.as_deref()))),
        ("http_status", ints(accepted.iter().map(|one| one.http_status.map(i64::from)))),
        ("deadline_at", ints(accepted.iter().map(|one| one.deadline_at))),
        ("poll_at", ints(accepted.iter().map(|one| one.poll_at))),
        ("now", same(now.0, accepted.len())),
    ]
}
