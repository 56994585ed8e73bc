//! The people of a refused call: they go back into the queue, are asked later or in smaller groups, or fail.

use db::{Conn, Ints};
use jobs::backoff::full_jitter;
use jobs::gate::Breaker;
use jobs::outcome::BadPerson;
use jobs::verdict::{Closing, GateReason, Next, Until, Verdict, on_refused_alone};
use jobs::{CallState, Policy, Provider, RevealState, Timestamp};

use crate::calls::claimed::{Answer, ClaimedCall};
use crate::calls::ended::{answer_to, broken_order, end_call, release, still_in};
use crate::error::Result;
use crate::gates::gate::Gate;
use crate::gates::{closing, state};
use crate::results::taken_back::rejoin_accepted;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

/// Applies a refusal. The caller writes the counts, last of all.
pub(crate) async fn refuse(
    conn: &mut Conn,
    totals: &mut Totals,
    answer: &Answer,
    outcome: &str,
    verdict: Verdict,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let call = &answer.call;
    let gate = Gate::lock(conn, call.provider).await?;
    if !end_call(conn, call, CallState::Refused, outcome, answer.http_status, now).await? {
        return Ok(());
    }
    release(conn, totals, call).await?;
    let ids = still_in(conn, call.id).await?;
    let members = members(conn, call.id).await?;
    let closing = match split_if_no_member_named(verdict.people, members.len()) {
        Next::Queue => {
            shift(conn, totals, call.provider, &ids, Change::to(RevealState::Queued), now).await?;
            verdict.closing
        }
        Next::Retry { reason } => {
            retry(conn, totals, call.provider, &ids, &reason, policy, now).await?;
            verdict.closing
        }
        Next::Isolate(bad) => {
            isolate(conn, totals, call.provider, &members, &ids, &bad, now).await?;
            verdict.closing
        }
        Next::Split { reason } if members.len() > 1 => {
            split(conn, totals, call, &members, &ids, &reason, now).await?;
            None
        }
        Next::Split { reason } => {
            refused_alone(conn, totals, &gate, call.provider, &ids, &reason, policy, now).await?
        }
    };
    rejoin_accepted(conn, totals, call.provider, &ids, now).await?;
    after_refusal(conn, &gate, call, closing, verdict.broken, outcome, policy, now).await
}

/// Turns a refusal that names only people outside of the call into a split: it names no person of the call, and asking for
/// all of them once more would be refused once more.
pub(super) fn split_if_no_member_named(next: Next, people: usize) -> Next {
    match next {
        Next::Isolate(bad) if bad.iter().all(|person| person.index >= people) => {
            let words = bad.into_iter().next().map(|person| person.message);
            Next::Split { reason: words.unwrap_or_else(|| "a value was refused".to_owned()) }
        }
        next => next,
    }
}

pub(super) async fn members(conn: &mut Conn, call: i64) -> Result<Vec<i64>> {
    let members: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT reveal_id FROM call_reveals WHERE call_id = $1 ORDER BY position",
            &[&call],
        )
        .await?;
    Ok(members.into_iter().map(|(id,)| id).collect())
}

/// Puts people off together; a person who has been refused too often fails.
pub(super) async fn retry(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    reason: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let attempts: Vec<(i64, i64)> = conn
        .fetch_all(
            "SELECT id, attempts FROM reveals WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(ids)],
        )
        .await?;
    let (spent, left): (Vec<_>, Vec<_>) =
        attempts.into_iter().partition(|(_, attempts)| attempts + 1 >= policy.max_attempts);
    let failed: Vec<i64> = spent.into_iter().map(|(id, _)| id).collect();
    let step = left.iter().map(|(_, attempts)| *attempts).max().unwrap_or(0);
    let later: Vec<i64> = left.into_iter().map(|(id, _)| id).collect();
    let wait = full_jitter(
        policy.retry_base,
        policy.retry_max,
        u32::try_from(step).unwrap_or(u32::MAX - 1),
        &mut rand::rng(),
    );
    let change = Change {
        reason: Some(reason),
        due_at: Some(now + wait),
        attempts: 1,
        ..Change::to(RevealState::Retrying)
    };
    shift(conn, totals, provider, &later, change, now).await?;
    let gave_up = format!("gave up after {} attempts: {reason}", policy.max_attempts);
    let change = Change { reason: Some(&gave_up), attempts: 1, ..Change::to(RevealState::Failed) };
    shift(conn, totals, provider, &failed, change, now).await
}

/// Fails the people who were named, each with the provider's words; the other people go on.
pub(super) async fn isolate(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    members: &[i64],
    sending: &[i64],
    bad: &[BadPerson],
    now: Timestamp,
) -> Result<()> {
    let mut others: Vec<i64> = sending.to_vec();
    for person in bad {
        let Some(id) = members.get(person.index).filter(|id| others.contains(id)).copied() else {
            continue;
        };
        others.retain(|other| *other != id);
        let reason = format!("refused: {}", person.message);
        let change =
            Change { reason: Some(&reason), attempts: 1, ..Change::to(RevealState::Failed) };
        shift(conn, totals, provider, &[id], change, now).await?;
    }
    shift(conn, totals, provider, &others, Change::to(RevealState::Queued), now).await
}

/// Splits a call when no person is named: the halves become isolation groups, so that one bad id costs a few requests and
/// never fails the other people.
pub(super) async fn split(
    conn: &mut Conn,
    totals: &mut Totals,
    call: &ClaimedCall,
    members: &[i64],
    sending: &[i64],
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let (first, second) = members.split_at(members.len() / 2);
    for (n, half) in [(0, first), (1, second)] {
        let half: Vec<i64> = half.iter().filter(|id| sending.contains(id)).copied().collect();
        let reason = format!("asked separately: {reason}");
        let change = Change { reason: Some(&reason), ..Change::to(RevealState::Queued) };
        shift(conn, totals, call.provider, &half, change, now).await?;
        conn.execute(
            "UPDATE reveals SET isolation_group = $2 WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(&half), &(call.id * 2 + n)],
        )
        .await?;
    }
    Ok(())
}

/// Fails a person who is refused alone, unless every person is refused: then the fault is not theirs, and the gate closes.
#[expect(clippy::too_many_arguments, reason = "one decision with everything it rests on")]
pub(super) async fn refused_alone(
    conn: &mut Conn,
    totals: &mut Totals,
    gate: &Gate,
    provider: Provider,
    ids: &[i64],
    reason: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<Option<Closing>> {
    let closed_for_it = gate.breaker.is_shut_for(GateReason::EverythingRefused);
    let verdict = on_refused_alone(gate.accepted_at.is_some(), gate.refused_singles, closed_for_it);
    let first_time: Option<(i64,)> = conn
        .fetch_optional(
            "SELECT COUNT(*) FROM reveals WHERE attempts = 0
             AND id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(ids)],
        )
        .await?;
    let counts = first_time.is_some_and(|(n,)| n > 0);
    let reason = format!("refused: {reason}");
    if verdict.fails {
        let change =
            Change { reason: Some(&reason), attempts: 1, ..Change::to(RevealState::Failed) };
        shift(conn, totals, provider, ids, change, now).await?;
    } else {
        retry(conn, totals, provider, ids, &reason, policy, now).await?;
    }
    if counts {
        conn.execute(
            "UPDATE provider_gates SET refused_singles = refused_singles + 1 WHERE provider = $1",
            &[&provider.as_str()],
        )
        .await?;
    }
    Ok((verdict.closes && (counts || closed_for_it)).then_some(Closing {
        reason: GateReason::EverythingRefused,
        message: Some(reason),
        until: Until::Backoff,
    }))
}

#[expect(clippy::too_many_arguments, reason = "one decision with everything it rests on")]
pub(super) async fn after_refusal(
    conn: &mut Conn,
    gate: &Gate,
    call: &ClaimedCall,
    closing: Option<Closing>,
    broken: bool,
    outcome: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    if let Some(closing) = closing {
        return closing::close(conn, call.provider, gate, &closing, policy, now).await;
    }
    if broken {
        let order = broken_order(gate, call);
        return closing::broken(conn, call.provider, gate, order, outcome, policy, now).await;
    }
    state::note_success(conn, call.provider, answer_to(call)).await?;
    if gate.probe_call == Some(call.id) {
        let breaker = Breaker { broken_streak: 0, ..gate.breaker.probe_answered(now) };
        state::write(conn, call.provider, &breaker).await?;
    }
    conn.announce(Topic::Queue);
    Ok(())
}
