//! Whether anything may be sent now: gate, rate, canary, and the requests left of the day.

use db::Conn;
use jobs::gate::Admission as GateState;
use jobs::{Provider, Timestamp, lookup};

use crate::calls::claim::send_slot::ClaimTime;
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;
use crate::gates::gate::Gate;
use crate::reveals::counters::write::from_newest;

pub(super) enum Admission {
    Wait(Option<Timestamp>),
    Paced(Timestamp),
    Go(Admitted),
}

/// How many calls may be sent at most, and how many people each may have.
pub(super) struct Admitted {
    pub(super) calls: usize,
    pub(super) people: usize,
    /// How many people a lookup may have. It needs no webhook, so the canary does not limit it.
    pub(super) to_look_up: usize,
    pub(super) probe: bool,
}

/// Decides what gate, canary and rate let through.
pub(super) async fn admit(
    conn: &mut Conn,
    ask: &ClaimReveals,
    gate: &Gate,
    time: &ClaimTime,
) -> Result<Admission> {
    let now = time.now;
    let admission = gate.breaker.admission(now);
    let to_look_up = match admission {
        GateState::Careful | GateState::Probe { small: true } => SMALL_PROBE,
        _ => lookup::MOST_PEOPLE,
    };
    let (mut calls, mut people, probe) = match admission {
        GateState::Shut(until) => return Ok(Admission::Wait(until)),
        GateState::Open => (ask.calls, ask.people, false),
        GateState::Careful => (1, SMALL_PROBE, false),
        GateState::Probe { small } => (1, if small { SMALL_PROBE } else { ask.people }, true),
    };
    if ask.canary > 0 && gate.canary_url.is_some() && gate.canary_proved_at.is_none() {
        if anything_out(conn, ask.provider, gate.canary_since).await? {
            return Ok(Admission::Wait(None));
        }
        (calls, people) = (1, people.min(ask.canary));
    }
    if gate.unread_since.is_some() {
        if gate.unread_call_is_out(conn, ask.provider).await? {
            return Ok(Admission::Wait(None));
        }
        (calls, people) = (calls.min(1), people.min(ask.canary.max(SMALL_PROBE)));
    }
    if let Some(at) = spare_the_day(conn, ask, gate, now).await? {
        return Ok(Admission::Wait(Some(at)));
    }
    let grant = time.grant(ask, gate, calls);
    if grant.requests == 0 {
        return Ok(Admission::Paced(Timestamp(grant.next_at_ms)));
    }
    calls = grant.requests;
    Ok(Admission::Go(Admitted { calls, people, to_look_up, probe }))
}

/// When the day's requests run short, a call that would not be full waits, so that the requests last until the count starts
/// again. A full call goes at once.
pub(super) async fn spare_the_day(
    conn: &mut Conn,
    ask: &ClaimReveals,
    gate: &Gate,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let (Some(left), Some(resets_at)) = (gate.daily_left, gate.daily_resets_at) else {
        return Ok(None);
    };
    if ask.people == 1 || left >= DAILY_REQUESTS / SHORT_SHARE || resets_at <= now.0 {
        return Ok(None);
    }
    // `tat_us` is one interval after the last request.
    let last = gate.tat_us / 1000 - (1000.0 / gate.rate(ask.rate, now)) as i64;
    let next = last + (resets_at - now.0) / left.max(1);
    if next <= now.0 {
        return Ok(None);
    }
    let waiting: i64 = conn.fetch_value(
        concat!(
            "SELECT CAST(COALESCE(SUM((SELECT t.queued ",
            from_newest!(),
            ")), 0) AS BIGINT) FROM batches b WHERE b.published_at IS NOT NULL AND b.cancelled_at IS NULL",
        ),
        &[&ask.provider.as_str()],
    )
    .await?;
    Ok((waiting < ask.people as i64).then_some(Timestamp(next)))
}

/// The requests per day on Ocean's standard plans. Shares of the day are taken of this number, whatever the account's own
/// quota is.
pub(super) const DAILY_REQUESTS: i64 = 1_000;

/// The day's requests run short once less than one in this many is left.
pub(super) const SHORT_SHARE: i64 = 5;

/// The most people in a small probe.
pub(super) const SMALL_PROBE: usize = 1;

/// Whether any call that was sent since `since` has results out, or may have. Two subqueries, since each has an index of
/// its own.
pub(crate) async fn anything_out(conn: &mut Conn, provider: Provider, since: i64) -> Result<bool> {
    let out: i64 = conn.fetch_value(
        "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM calls WHERE provider = $1 AND deadline_at >= $2 AND sent_at >= $2)
                            OR EXISTS (SELECT 1 FROM calls WHERE provider = $1 AND state = 'sending' AND sent_at >= $2)
                          THEN 1 ELSE 0 END AS BIGINT)",
        &[&provider.as_str(), &since],
    )
    .await?;
    Ok(out == 1)
}

pub(super) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
