//! Records the results of polls, all that arrive together in one write.

use db::bulk::{ints, texts, write_rows};
use db::{BoxFuture, Conn, Item};
use jobs::backoff::exponential;
use jobs::outcome::{Finding, FreeRequestFailure, TrackOutcome};
use jobs::{Policy, Timestamp};

use crate::calls::Calls;
use crate::calls::deadlines::expire::expire_call;
use crate::calls::polls::ClaimedPoll;
use crate::error::{Result, StoreError};
use crate::gates::free_requests::{FreeRequest, describe, on_failure};
use crate::gates::gate::Gate;
use crate::gates::good_answers::GoodAnswers;
use crate::results::settle::delivery::Delivery;
use crate::results::settle::settle;
use crate::reveals::counters::Totals;

type Outcome = std::result::Result<TrackOutcome, FreeRequestFailure>;

/// A poll and its result.
#[derive(Clone)]
pub(crate) struct Polled {
    poll: ClaimedPoll,
    result: Outcome,
    http_status: Option<u16>,
    policy: Policy,
    now: Timestamp,
}

impl Calls<'_> {
    /// Records the result of a poll.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn record_poll(
        self,
        poll: ClaimedPoll,
        result: Outcome,
        http_status: Option<u16>,
        policy: &Policy,
    ) -> Result<()> {
        let (now, policy) = (self.store.now(), policy.clone());
        let answered = result.is_ok().then_some(poll.provider);
        self.store.batchers.write(Polled { poll, result, http_status, policy, now }).await?;
        if let Some(provider) = answered {
            GoodAnswers::of(self.store.db.attached()).count(provider);
        }
        Ok(())
    }
}

impl Item for Polled {
    type Output = ();
    type Error = StoreError;

    /// Records the results of polls.
    fn write_all(conn: &mut Conn, all: Vec<Self>) -> BoxFuture<'_, Result<Vec<()>>> {
        Box::pin(async move {
            let outputs = vec![(); all.len()];
            let Some((policy, now)) = all.last().map(|one| (one.policy.clone(), one.now)) else {
                return Ok(outputs);
            };
            let failed = all.iter().filter(|one| one.result.is_err());
            Gate::lock_all(conn, failed.map(|one| one.poll.provider)).await?;
            FreeRequest::write_all(conn, all.iter().map(Polled::free_request).collect(), now)
                .await?;
            let deliveries: Vec<Delivery> = all.iter().filter_map(Polled::delivery).collect();
            let mut totals = Totals::default();
            if !deliveries.is_empty() {
                settle(conn, &mut totals, deliveries, &policy, now).await?;
            }
            end_or_repeat(conn, &mut totals, &all, &policy, now).await?;
            for one in all {
                if let Err(failure) = one.result {
                    // The gate is read again: the failure before may have closed it.
                    let gate = Gate::lock(conn, one.poll.provider).await?;
                    on_failure(conn, one.poll.provider, &gate, failure, &policy, now).await?;
                }
            }
            totals.flush(conn, now).await?;
            Ok(outputs)
        })
    }
}

impl Polled {
    fn free_request(&self) -> FreeRequest<'_> {
        FreeRequest {
            call_id: &self.poll.call_id,
            provider: self.poll.provider,
            kind: "track",
            attempt: self.poll.polls,
            sent_at: self.poll.sent_at.0,
            http_status: self.http_status,
            tracking_id: Some(&self.poll.tracking_id),
            outcome: match &self.result {
                Ok(TrackOutcome::Finished(result)) if result.finding == Finding::Unreadable => {
                    "a number that can't be read".into()
                }
                Ok(TrackOutcome::Finished(_)) => "finished".into(),
                Ok(TrackOutcome::Running | TrackOutcome::NothingThere) => "no result yet".into(),
                Err(failure) => describe(failure).into(),
            },
        }
    }

    fn delivery(&self) -> Option<Delivery> {
        let Ok(TrackOutcome::Finished(result)) = &self.result else { return None };
        let ClaimedPoll { provider, call_id, .. } = &self.poll;
        Some(Delivery::new(*provider, call_id.clone(), None, [result.clone()], None))
    }

    /// Whether this was the last poll: it was answered, and the deadline has passed.
    fn is_last(&self, now: Timestamp) -> bool {
        self.result.is_ok() && self.poll.deadline_at.is_some_and(|deadline| deadline <= now.0)
    }
}

/// Schedules another poll for people who still wait, unless this was the last poll. A result may say no more than that the
/// person is still being looked for. A call that is done is left alone in both cases.
async fn end_or_repeat(
    conn: &mut Conn,
    totals: &mut Totals,
    all: &[Polled],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let (last, others): (Vec<&Polled>, Vec<&Polled>) = all.iter().partition(|one| one.is_last(now));
    repeat_later(conn, &others, policy, now).await?;
    for one in last {
        expire_call(conn, totals, one.poll.provider, one.poll.id, now).await?;
    }
    Ok(())
}

/// Schedules the next polls, never later than the deadline; the poll at the deadline is the last.
async fn repeat_later(
    conn: &mut Conn,
    polled: &[&Polled],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let next = |Polled { poll, .. }: &&Polled| {
        let step = u32::try_from(poll.polls - 1).unwrap_or(0);
        let next = now + exponential(policy.poll_interval, policy.poll_interval_max, step);
        match poll.deadline_at {
            Some(deadline) if deadline > now.0 => next.0.min(deadline),
            _ => next.0,
        }
    };
    let columns = vec![
        ("id", ints(polled.iter().map(|one| one.poll.id))),
        ("lease", texts(polled.iter().map(|one| Some(&*one.poll.lease)))),
        ("next", ints(polled.iter().map(next))),
    ];
    write_rows(
        conn,
        "UPDATE calls SET poll_at = e.next, poll_lease = NULL
         FROM ROWS WHERE calls.id = e.id AND calls.poll_lease = e.lease AND calls.deadline_at IS NOT NULL",
        columns,
    )
    .await?;
    Ok(())
}
