//! Work that becomes due by time alone: results that never came, requests whose worker is gone, and requests of unknown
//! outcome that the user wants sent again.

mod clock_set_back;
pub(crate) mod expire;
pub(crate) mod repeat;

use std::time::Duration;

use db::{Conn, Ints, record};
use jobs::{Policy, Provider, Timestamp};

use crate::calls::Calls;
use crate::calls::deadlines::expire::{AT_ONCE, Looked, expire_call, lock_all, looked};
use crate::calls::deadlines::repeat::{look_up_again, repeat_unknown};
use crate::calls::response::mark_unknown;
use crate::error::Result;
use crate::low_mark::{CLOCKS_APART, LowMarks, Queue};
use crate::reveals::counters::Totals;
use crate::topic::Topic;

/// A request that has been on its way for this long is lost, even if its worker lives: its handler is gone.
const LONGEST_REQUEST_MS: i64 = 10 * 60 * 1000;

/// The outcome of a call whose worker missed its heartbeats for too long.
const GONE: &str = "its worker is gone";

/// While calls are out, a webhook URL through which nothing came for this long has to be proved again.
const WEBHOOK_SILENCE: Duration = Duration::from_secs(3600);

/// How long after its deadline a call waits for its last poll while no worker can make it: no key, a closed gate, a broken
/// provider. Longer than any `Retry-After` that is believed.
const LAST_POLL_PATIENCE: Duration = Duration::from_secs(48 * 3600);

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls of workers that are gone; their outcome is unknown now.
    pub taken_over: usize,
    /// Calls that expired.
    pub expired: usize,
    /// Calls of unknown outcome whose people are asked again.
    pub repeated: usize,
    /// Whether the webhook URL has to be proved again: nothing came through it for an hour.
    pub webhooks_silent: bool,
}

impl Calls<'_> {
    /// Takes over requests of workers that are gone, ends calls past their deadline, and sends calls of unknown outcome again.
    /// Unless `time_is_sure`, it does only the first.
    pub(crate) async fn sweep(self, policy: &Policy, time_is_sure: bool) -> Result<Swept> {
        let now = self.store.now();
        // One transaction each: all of them lock gates before calls, and calls before people.
        let webhooks_silent = self
            .store
            .db
            .write(move |conn| Box::pin(async move { doubt_webhook_url(conn, now).await }))
            .await?;
        let patience = policy.clone();
        let (reveals, lookups) = self
            .store
            .db
            .write(move |conn| Box::pin(async move { take_over(conn, &patience, now).await }))
            .await?;
        let taken_over = reveals + lookups.len();
        if !lookups.is_empty() {
            let most = policy.max_attempts;
            self.store
                .db
                .write(move |conn| {
                    Box::pin(async move { look_up_lost_again(conn, &lookups, most, now).await })
                })
                .await?;
        }
        if !time_is_sure {
            return Ok(Swept { taken_over, webhooks_silent, ..Swept::default() });
        }
        let expired = self
            .store
            .db
            .write(move |conn| Box::pin(async move { expire_overdue(conn, now).await }))
            .await?;
        let repeated = match policy.unknown_grace {
            Some(grace) => {
                let (before, most) = (now - grace, policy.max_attempts);
                self.store
                    .db
                    .write(move |conn| {
                        Box::pin(async move { repeat_unknown(conn, before, most, now).await })
                    })
                    .await?
            }
            None => 0,
        };
        Ok(Swept { taken_over, expired, repeated, webhooks_silent })
    }
}

record! {
    /// A request on its way, and whether its worker is gone.
    struct SendingRow {
        id: i64,
        provider: String,
        sent_at: i64,
        is_lookup: i64,
        is_lost: i64,
    }
}

/// Takes over requests of workers that gave no sign for too long: the requests may have left. Returns how many reveal calls
/// there were, and the lookups, which are asked again.
async fn take_over(
    conn: &mut Conn,
    policy: &Policy,
    now: Timestamp,
) -> Result<(usize, Vec<Looked>)> {
    let mut lost = lost_calls(conn, policy, now).await?;
    lost.sort_unstable_by_key(|row| row.id);
    lost.truncate(usize::try_from(AT_ONCE).unwrap_or(usize::MAX));
    let (lookups, reveals): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|lost| lost.is_lookup == 1);
    let without_kind = |lost: Vec<SendingRow>| {
        looked(lost.into_iter().map(|row| (row.id, row.provider)).collect())
    };
    let (lookups, reveals) = (without_kind(lookups)?, without_kind(reveals)?);
    let lost: Vec<Looked> = reveals.iter().chain(&lookups).copied().collect();
    // Gates come first in the order of locks. Gates that a lost call probes are closed below. Other gates are left alone,
    // since a worker that was stopped in the middle may hold one locked.
    let ids: Vec<i64> = lost.iter().map(|(id, _)| *id).collect();
    let _: Vec<(String,)> = conn
        .fetch_all(
            "SELECT provider FROM provider_gates
             WHERE probe_call IN (SELECT e.value FROM IDS($1) AS e)
             ORDER BY provider FOR UPDATE",
            &[&Ints::of(&ids)],
        )
        .await?;
    for &(id, _) in &reveals {
        mark_unknown(conn, id, GONE, None, policy, now).await?;
    }
    for &(id, provider) in &lost {
        conn.execute(
            "UPDATE provider_gates SET state = 'closed', closed_until = $3, probe_call = NULL
             WHERE provider = $1 AND probe_call = $2",
            &[&provider.as_str(), &id, &(now + policy.gate_base).0],
        )
        .await?;
    }
    if !lost.is_empty() {
        conn.announce(Topic::Queue);
    }
    Ok((reveals.len(), lookups))
}

/// Reads the requests whose worker is gone. All requests on their way are read: there are never many.
async fn lost_calls(conn: &mut Conn, policy: &Policy, now: Timestamp) -> Result<Vec<SendingRow>> {
    let marks = LowMarks::of(conn.attached());
    let start = marks.start(Queue::Sending, now);
    let sending: Vec<SendingRow> = conn
        .fetch_all(
            "SELECT c.id, c.provider, c.sent_at,
                CAST(CASE WHEN c.kind = 'lookup' THEN 1 ELSE 0 END AS BIGINT) AS is_lookup,
                CAST(CASE WHEN w.worker_id IS NULL OR w.stopped_at IS NOT NULL OR w.heartbeat_at < $1
                    OR c.sent_at < $2 THEN 1 ELSE 0 END AS BIGINT) AS is_lost
             FROM calls c LEFT JOIN workers w ON w.worker_id = c.worker_id
             WHERE c.state = 'sending' AND c.sent_at >= $3 ORDER BY c.sent_at",
            &[&(now - policy.heartbeat_timeout).0, &(now.0 - LONGEST_REQUEST_MS), &start],
        )
        .await?;
    let earliest = (now - CLOCKS_APART).0;
    let first = sending.first().map_or(earliest, |row| row.sent_at.min(earliest));
    marks.looked(Queue::Sending, start, Some(first), now);
    Ok(sending.into_iter().filter(|row| row.is_lost == 1).collect())
}

/// Asks again the lookups of workers that are gone.
async fn look_up_lost_again(
    conn: &mut Conn,
    lookups: &[Looked],
    max_attempts: i64,
    now: Timestamp,
) -> Result<()> {
    lock_all(conn, lookups).await?;
    let mut totals = Totals::default();
    for &(call, provider) in lookups {
        look_up_again(conn, &mut totals, (call, provider), (GONE, None), max_attempts, now).await?;
    }
    totals.flush(conn, now).await
}

/// Expires calls past their deadline that can't be polled. Calls that can be polled get a last poll first, as long as a
/// worker that can make it may still come.
async fn expire_overdue(conn: &mut Conn, now: Timestamp) -> Result<usize> {
    let mut overdue = Vec::new();
    for provider in Provider::ALL {
        let found: Vec<(i64, String)> = conn
            .fetch_all(
                "SELECT id, provider FROM calls WHERE provider = $1 AND deadline_at <= $2
                    AND (poll_at IS NULL OR deadline_at <= $3)
                 ORDER BY deadline_at LIMIT $4",
                &[&provider.as_str(), &now.0, &(now - LAST_POLL_PATIENCE).0, &AT_ONCE],
            )
            .await?;
        overdue.extend(looked(found)?);
    }
    lock_all(conn, &overdue).await?;
    let mut totals = Totals::default();
    for &(id, provider) in &overdue {
        expire_call(conn, &mut totals, provider, id, now).await?;
    }
    totals.flush(conn, now).await?;
    Ok(overdue.len())
}

/// Results that can't arrive are money lost. If no result came by webhook for an hour while calls are out at a provider
/// that can't be polled, its next calls are small again. A call sent before the last webhook shows nothing: only its own
/// webhook was lost.
async fn doubt_webhook_url(conn: &mut Conn, now: Timestamp) -> Result<bool> {
    let limit = (now - WEBHOOK_SILENCE).0;
    let doubted = conn.execute(
        "UPDATE provider_gates SET canary_proved_at = NULL, canary_since = $3
         WHERE provider = $1 AND canary_proved_at < $2 AND webhook_at < $2 AND EXISTS (
            SELECT 1 FROM calls c WHERE c.provider = provider_gates.provider
                AND c.deadline_at IS NOT NULL AND c.sent_at < $2 AND c.sent_at >= provider_gates.webhook_at)",
        &[&Provider::Ocean.as_str(), &limit, &now.0],
    )
    .await?;
    Ok(doubted > 0)
}
