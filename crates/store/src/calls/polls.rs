//! Asking for results whose webhook is late.

mod record;

use std::time::Duration;

use db::Conn;
use jobs::rate::{self, Leaving};
use jobs::{CallId, Provider, Timestamp};

use crate::calls::Calls;
use crate::error::Result;
use crate::gates::gate;
use crate::gates::gate::{Gate, Going};
use crate::low_mark::{CLOCKS_APART, LowMarks, Queue};
use crate::reveals::counters::write::from_newest;

/// How long a poll may be out before another worker may try it.
pub(crate) const POLL_LEASE: Duration = Duration::from_secs(120);

/// A tracking id to be polled.
#[derive(Debug, Clone)]
pub struct ClaimedPoll {
    /// The id under which the provider knows the order.
    pub tracking_id: String,
    /// The call's public id.
    pub call_id: String,
    /// The provider that is asked.
    pub provider: Provider,
    id: i64,
    lease: String,
    polls: i64,
    deadline_at: Option<i64>,
    sent_at: Timestamp,
}

/// The result of a claim of polls.
#[derive(Debug, Clone, Default)]
pub struct Polls {
    /// The tracking ids to poll.
    pub polls: Vec<ClaimedPoll>,
    /// When another claim may bring more, if nothing happens before.
    pub again_at: Option<Timestamp>,
}

impl Calls<'_> {
    /// Claims up to `most` tracking ids that are due, at most `limit` requests a second.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn claim_polls(self, provider: Provider, most: usize, limit: f64) -> Result<Polls> {
        let now = self.store.now();
        // Checked first without the gate's lock, which every sender and every answer needs.
        match next_poll(&mut self.store.db.read().await?, provider, now).await? {
            Some(at) if at <= now => {}
            again_at => return Ok(Polls { polls: Vec::new(), again_at }),
        }
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move { claim(conn, provider, most, limit, now).await })
            })
            .await
    }
}

db::record! {
    /// A call whose poll is due.
    struct DueRow {
        id: i64,
        call_id: String,
        tracking_id: Option<String>,
        polls: i64,
        deadline_at: Option<i64>,
    }
}

async fn claim(
    conn: &mut Conn,
    provider: Provider,
    most: usize,
    limit: f64,
    now: Timestamp,
) -> Result<Polls> {
    let gate = Gate::lock(conn, provider).await?;
    if let Some(until) = gate.breaker.free_requests_wait(now) {
        return Ok(Polls { polls: Vec::new(), again_at: until });
    }
    let full = gate.rate(limit, now);
    let share = if reveals_are_due(conn, provider).await? { full / 2.0 } else { full };
    let take = |cell, per_second, wanted| {
        rate::take(cell, now.0 * 1000, per_second, wanted, Leaving::AtOnce)
    };
    let own = take(gate.poll_tat_us, share, most);
    let all = take(gate.tat_us, full, own.requests);
    let lease = CallId::generate().to_string();
    let found: Vec<DueRow> = conn
        .fetch_all(
            "UPDATE calls SET poll_at = $3, poll_lease = $4, polls = polls + 1 WHERE id IN (
                SELECT id FROM calls WHERE provider = $1 AND poll_at <= $2 AND poll_at >= $6
                ORDER BY poll_at LIMIT $5 FOR UPDATE SKIP LOCKED)
             RETURNING id, call_id, tracking_id, polls, deadline_at",
            &[
                &provider.as_str(),
                &now.0,
                &(now + POLL_LEASE).0,
                &lease,
                &(all.requests as i64),
                &LowMarks::of(conn.attached()).start(Queue::Polls(provider), now),
            ],
        )
        .await?;
    let asked = found.len();
    let (own, all) = (take(gate.poll_tat_us, share, asked), take(gate.tat_us, full, asked));
    if asked > 0 {
        let going = Going {
            requests: asked,
            isolating: 0,
            tat_us: all.tat_us,
            poll_tat_us: Some(own.tat_us),
            rate_limit: limit,
        };
        gate::count_requests(conn, provider, &gate, going, now).await?;
    }
    let again_at = Some(Timestamp(own.next_at_ms.max(all.next_at_ms)));
    let polls = found
        .into_iter()
        .filter_map(|row| {
            Some(ClaimedPoll {
                tracking_id: row.tracking_id?,
                call_id: row.call_id,
                provider,
                id: row.id,
                lease: lease.clone(),
                polls: row.polls,
                deadline_at: row.deadline_at,
                sent_at: now,
            })
        })
        .collect();
    Ok(Polls { polls, again_at })
}

/// When the next poll may be sent, as far as the gate and the due times are concerned.
async fn next_poll(
    conn: &mut Conn,
    provider: Provider,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    if let Some(until) = Gate::read(conn, provider).await?.breaker.free_requests_wait(now) {
        return Ok(until);
    }
    let (marks, queue) = (LowMarks::of(conn.attached()), Queue::Polls(provider));
    let start = marks.start(queue, now);
    let first: Option<i64> = conn
        .fetch_value(
            "SELECT MIN(poll_at) FROM calls WHERE provider = $1 AND poll_at >= $2",
            &[&provider.as_str(), &start],
        )
        .await?;
    // Polls that are added later are due from the time of their transaction on.
    let earliest = (now - CLOCKS_APART).0;
    marks.looked(queue, start, Some(first.map_or(earliest, |at| at.min(earliest))), now);
    Ok(first.map(Timestamp))
}

async fn reveals_are_due(conn: &mut Conn, provider: Provider) -> Result<bool> {
    let due: Option<(i64,)> = conn
        .fetch_optional(
            concat!(
                "SELECT b.id FROM batches b
                 WHERE b.finished_at IS NULL AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
                    AND (SELECT CASE WHEN t.at_ceiling = 0 THEN t.queued ELSE 0 END ",
                from_newest!(),
                ") > 0 LIMIT 1",
            ),
            &[&provider.as_str()],
        )
        .await?;
    Ok(due.is_some())
}
