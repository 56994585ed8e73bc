//! Writing down what became of a request. A response moves a call only out of `sending`: whoever
//! took the call over meanwhile, or a webhook that was faster, is not overruled.

use jobs::backoff::full_jitter;
use jobs::outcome::BadPerson;
use jobs::verdict::{Closing, GateReason, Next, Until, Verdict};
use jobs::{CallState, Policy, Provider, RevealState, Timestamp};

use crate::conn::{Conn, exec, row, rows};
use crate::gate::{self, Gate};
use crate::totals::{Totals, json};
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
            Box::pin(async move { refused(conn, &answer, &outcome, verdict, &policy, now).await })
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
    let mut totals = Totals::default();
    let moved = mark_unknown(conn, &mut totals, call.provider, call.id, why, policy, now).await?;
    if moved {
        exec!(
            conn,
            "UPDATE calls SET http_status = $2 WHERE id = $1",
            call.id,
            answer.http_status.map(i64::from),
        )?;
    }
    totals.flush(conn, now).await
}

/// From `sending` to `unknown`; false if the call was elsewhere already.
pub(crate) async fn mark_unknown(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    call: i64,
    why: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<bool> {
    let moved = exec!(
        conn,
        "UPDATE calls SET state = 'unknown', outcome = $2, finished_at = $3, deadline_at = sent_at + $4
         WHERE id = $1 AND state = 'sending'",
        call,
        format!("unknown: {why}"),
        now.0,
        i64::try_from(policy.result_deadline.as_millis()).unwrap_or(i64::MAX / 2),
    )?;
    if moved == 1 {
        let ids = still_sending(conn, &[call]).await?;
        let reason = format!("outcome unknown: {why}");
        let change = Change { reason: Some(&reason), ..Change::to(RevealState::Awaiting) };
        shift(conn, totals, provider, &ids, change, now).await?;
        leave_cohort(conn, &ids).await?;
    }
    Ok(moved == 1)
}

/// The people of calls who have no result yet, locked in the order of their numbers.
pub(crate) async fn still_sending(conn: &mut Conn, calls: &[i64]) -> Result<Vec<i64>> {
    let ids: Vec<(i64,)> = rows!(
        conn,
        "SELECT r.id FROM IDS($1) AS e
         JOIN call_reveals m ON m.call_id = CAST(e.value AS BIGINT)
         JOIN reveals r ON r.id = m.reveal_id AND r.call_id = m.call_id
         WHERE r.state = 'sending' ORDER BY r.id FOR UPDATE",
        json(&calls),
    )?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Whoever was asked apart from others has an answer now.
pub(crate) async fn leave_cohort(conn: &mut Conn, ids: &[i64]) -> Result<()> {
    exec!(
        conn,
        "UPDATE reveals SET cohort = NULL
         WHERE cohort IS NOT NULL AND id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
    )?;
    Ok(())
}

async fn refused(
    conn: &mut Conn,
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
    let mut totals = Totals::default();
    release(conn, &mut totals, call).await?;
    let ids = still_sending(conn, &[call.id]).await?;
    let members = members(conn, call.id).await?;
    let closing = match somebody_named(verdict.people, members.len()) {
        Next::Queue => {
            shift(conn, &mut totals, call.provider, &ids, Change::to(RevealState::Queued), now)
                .await?;
            verdict.closing
        }
        Next::Retry { reason } => {
            retry(conn, &mut totals, call.provider, &ids, &reason, policy, now).await?;
            verdict.closing
        }
        Next::Isolate(bad) => {
            isolate(conn, &mut totals, call.provider, &members, &ids, &bad, now).await?;
            verdict.closing
        }
        Next::Split { reason } if members.len() > 1 => {
            split(conn, &mut totals, call, &members, &ids, &reason, now).await?;
            None
        }
        Next::Split { reason } => {
            refused_alone(conn, &mut totals, &gate, call.provider, &ids, &reason, policy, now)
                .await?
        }
    };
    after_refusal(conn, &gate, call, closing, verdict.broken, outcome, policy, now).await?;
    totals.flush(conn, now).await
}

/// A refusal that names only people who are not in the call names nobody. To ask for all of them
/// once more would be refused once more.
fn somebody_named(next: Next, people: usize) -> Next {
    match next {
        Next::Isolate(bad) if bad.iter().all(|person| person.index >= people) => {
            let words = bad.into_iter().next().map(|person| person.message);
            Next::Split { reason: words.unwrap_or_else(|| "a value was refused".to_owned()) }
        }
        next => next,
    }
}

/// Leaves `sending`; false if the call was elsewhere already.
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
        "UPDATE calls SET state = $3, outcome = $4, http_status = $5, finished_at = $6
         WHERE id = $1 AND worker_id = $2 AND state = 'sending'",
        call.id,
        call.worker.to_string(),
        state.as_str(),
        outcome,
        http_status.map(i64::from),
        now.0,
    )?;
    Ok(moved == 1)
}

/// Gives back what the call had reserved.
async fn release(conn: &mut Conn, totals: &mut Totals, call: &ClaimedCall) -> Result<()> {
    let reserved: Vec<(i64, i64, i64)> = rows!(
        conn,
        "SELECT payer, COUNT(*), CAST(SUM(reserved) AS BIGINT) FROM call_reveals
         WHERE call_id = $1 AND credits IS NULL GROUP BY payer",
        call.id,
    )?;
    for (payer, people, credits) in reserved {
        totals.reserve(payer, call.provider, -people, -credits);
    }
    exec!(
        conn,
        "UPDATE call_reveals SET reserved = 0, credits = 0 WHERE call_id = $1 AND credits IS NULL",
        call.id,
    )?;
    Ok(())
}

async fn members(conn: &mut Conn, call: i64) -> Result<Vec<i64>> {
    let members: Vec<(i64,)> = rows!(
        conn,
        "SELECT reveal_id FROM call_reveals WHERE call_id = $1 ORDER BY position",
        call
    )?;
    Ok(members.into_iter().map(|(id,)| id).collect())
}

/// Later, all together; who has been refused too often fails.
async fn retry(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    reason: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let attempts: Vec<(i64, i64)> = rows!(
        conn,
        "SELECT id, attempts FROM reveals WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
    )?;
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
        to: RevealState::Retrying,
        reason: Some(reason),
        due_at: Some(now + wait),
        attempts: 1,
    };
    shift(conn, totals, provider, &later, change, now).await?;
    let gave_up = format!("gave up after {} attempts: {reason}", policy.max_attempts);
    let change =
        Change { to: RevealState::Failed, reason: Some(&gave_up), due_at: None, attempts: 1 };
    shift(conn, totals, provider, &failed, change, now).await
}

/// Who was named fails, each with the provider's words; the others go on.
async fn isolate(
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
            Change { to: RevealState::Failed, reason: Some(&reason), due_at: None, attempts: 1 };
        shift(conn, totals, provider, &[id], change, now).await?;
    }
    shift(conn, totals, provider, &others, Change::to(RevealState::Queued), now).await
}

/// Nobody is named: the halves are asked apart, so that one bad id costs a few requests and never
/// fails the others.
async fn split(
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
        let reason = format!("asked apart: {reason}");
        let change = Change { reason: Some(&reason), ..Change::to(RevealState::Queued) };
        shift(conn, totals, call.provider, &half, change, now).await?;
        exec!(
            conn,
            "UPDATE reveals SET cohort = $2 WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
            json(&half),
            call.id * 2 + n,
        )?;
    }
    Ok(())
}

/// A person refused on their own fails, unless nobody was ever accepted: then the fault may be
/// everybody's, and after a few such people the gate closes.
#[expect(clippy::too_many_arguments, reason = "one decision with everything it rests on")]
async fn refused_alone(
    conn: &mut Conn,
    totals: &mut Totals,
    gate: &Gate,
    provider: Provider,
    ids: &[i64],
    reason: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<Option<Closing>> {
    if gate.accepted_at.is_some() {
        let reason = format!("refused: {reason}");
        let change =
            Change { to: RevealState::Failed, reason: Some(&reason), due_at: None, attempts: 1 };
        shift(conn, totals, provider, ids, change, now).await?;
        return Ok(None);
    }
    let first_time: Option<(i64,)> = row!(
        conn,
        "SELECT COUNT(*) FROM reveals WHERE attempts = 0
         AND id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
    )?;
    retry(conn, totals, provider, ids, &format!("refused: {reason}"), policy, now).await?;
    let again = Closing {
        reason: GateReason::EverythingRefused,
        message: Some(reason.to_owned()),
        until: Until::Backoff,
    };
    if gate.is_closed_for(GateReason::EverythingRefused) {
        return Ok(Some(again));
    }
    if first_time.is_none_or(|(n,)| n == 0) {
        return Ok(None);
    }
    exec!(
        conn,
        "UPDATE provider_gates SET refused_singles = refused_singles + 1 WHERE provider = $1",
        provider.as_str(),
    )?;
    Ok(gate.everything_is_refused().then_some(again))
}

#[expect(clippy::too_many_arguments, reason = "one decision with everything it rests on")]
async fn after_refusal(
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
        return gate::close(conn, call.provider, gate, &closing, policy, now).await;
    }
    if broken {
        return gate::broken(conn, call.provider, gate, Some(call.id), outcome, policy, now).await;
    }
    gate::passed(conn, call.provider).await?;
    if gate.probe_call == Some(call.id) {
        // It answered, and the matter for which the gate was closed did not come up again.
        gate::open(conn, call.provider).await?;
    }
    conn.announce(crate::Topic::Queue);
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
    let ids = still_sending(conn, &[call.id]).await?;
    shift(conn, &mut totals, call.provider, &ids, Change::to(RevealState::Queued), now).await?;
    if gate.probe_call == Some(call.id) {
        exec!(
            conn,
            "UPDATE provider_gates SET state = 'closed', closed_until = $2, probe_call = NULL WHERE provider = $1",
            call.provider.as_str(),
            now.0,
        )?;
    }
    conn.announce(crate::Topic::Queue);
    totals.flush(conn, now).await
}
