//! Clodura's 404, an answer that is a result already. It is recorded in one step, since a worker that died between two
//! steps would leave the person waiting for a webhook that never comes.

mod run;

use db::bulk::{ints, write_rows};
use db::{BoxFuture, Conn, Item};
use jobs::gate::Breaker;
use jobs::outcome::{Finding, PersonResult};
use jobs::verdict::{Closing, Next, Until, Verdict};
use jobs::{GateReason, Policy, Provider, Timestamp};

use crate::calls::Calls;
use crate::calls::claimed::Answer;
use crate::calls::not_found::run::ask_again;
use crate::calls::response::refused::refuse;
use crate::error::{Result, StoreError};
use crate::gates::gate::Gate;
use crate::gates::not_found::{count, count_doubted};
use crate::gates::state;
use crate::results::settle::delivery::Delivery;
use crate::results::settle::settle;
use crate::reveals::counters::Totals;

impl Calls<'_> {
    /// Records that the provider looked at once, and has no number.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_not_found(self, answer: Answer, policy: &Policy) -> Result<()> {
        let one = NotFound { answer, policy: policy.clone(), now: self.store.now() };
        self.store.batchers.write(one).await
    }
}

/// An answer without a number, as it is written.
#[derive(Clone)]
pub(crate) struct NotFound {
    answer: Answer,
    policy: Policy,
    now: Timestamp,
}

impl Item for NotFound {
    type Output = ();
    type Error = StoreError;

    /// Records the people who have no number. If more people are said to have none than chance explains, they stay open,
    /// and the gate closes: the provider's 404 is about the person only as long as not every request gets it.
    fn write_all(conn: &mut Conn, all: Vec<Self>) -> BoxFuture<'_, Result<Vec<()>>> {
        Box::pin(async move {
            let outputs = vec![(); all.len()];
            let Some((policy, now)) = all.last().map(|one| (one.policy.clone(), one.now)) else {
                return Ok(outputs);
            };
            let of = |one: &NotFound| one.answer.call.provider;
            let gates = Gate::lock_all(conn, all.iter().map(of)).await?;
            let mut totals = Totals::default();
            let mut believed = Vec::new();
            for (provider, gate) in gates {
                let (behind, answers): (Vec<_>, Vec<_>) = all
                    .iter()
                    .filter(|one| of(one) == provider)
                    .partition(|one| gate.was_out_when_doubted(one.answer.call.id));
                if gate.not_found().is_doubted(answers.len()) {
                    doubt(conn, &mut totals, &gate, &[behind, answers].concat(), now).await?;
                    continue;
                }
                for one in behind {
                    leave_open(conn, &mut totals, one, None, now).await?;
                }
                believe(conn, provider, &gate, &answers, now).await?;
                believed.extend(answers);
            }
            settle_all(conn, &mut totals, &believed, &policy, now).await?;
            totals.flush(conn, now).await?;
            Ok(outputs)
        })
    }
}

/// Takes the answers as true: these people have no number.
async fn believe(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    answers: &[&NotFound],
    now: Timestamp,
) -> Result<()> {
    let calls: Vec<i64> = answers.iter().map(|one| one.answer.call.id).collect();
    if calls.is_empty() {
        return Ok(());
    }
    count(conn, provider, &calls, now).await?;
    if gate.probe_call.is_some_and(|probe| calls.contains(&probe)) {
        let breaker = Breaker { broken_streak: 0, ..gate.breaker.probe_answered(now) };
        state::write(conn, provider, &breaker).await?;
    }
    Ok(())
}

async fn settle_all(
    conn: &mut Conn,
    totals: &mut Totals,
    all: &[&NotFound],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    settle(conn, totals, all.iter().map(|one| one.delivery()).collect(), policy, now).await?;
    let columns = vec![
        ("id", ints(all.iter().map(|one| one.answer.call.id))),
        ("http_status", ints(all.iter().map(|one| one.answer.http_status.map(i64::from)))),
    ];
    write_rows(
        conn,
        "UPDATE calls SET outcome = COALESCE(calls.outcome, 'not found'), http_status = e.http_status
         FROM ROWS WHERE calls.id = e.id",
        columns,
    )
    .await?;
    Ok(())
}

/// Closes the gate, and leaves these people and the people of the run open.
async fn doubt(
    conn: &mut Conn,
    totals: &mut Totals,
    gate: &Gate,
    answers: &[&NotFound],
    now: Timestamp,
) -> Result<()> {
    for one in answers {
        let reason = format!(
            "404 for everybody: {} in a row, and no request was accepted; if these people really have no number, run enqueue resume {}",
            gate.not_found().run + answers.len() as i64,
            one.answer.call.provider,
        );
        let closing = Closing {
            reason: GateReason::EverythingRefused,
            message: Some(reason),
            until: Until::Backoff,
        };
        leave_open(conn, totals, one, Some(closing), now).await?;
    }
    let Some(provider) = answers.first().map(|one| one.answer.call.provider) else { return Ok(()) };
    if let Some(first) = gate.run_began_with() {
        ask_again(conn, totals, provider, first, now).await?;
    }
    count_doubted(conn, provider, answers.len()).await
}

/// Queues the person again: the 404 says nothing about them.
async fn leave_open(
    conn: &mut Conn,
    totals: &mut Totals,
    one: &NotFound,
    closing: Option<Closing>,
    now: Timestamp,
) -> Result<()> {
    let verdict = Verdict { people: Next::Queue, closing, broken: false };
    refuse(conn, totals, &one.answer, "not found, as everybody", verdict, &one.policy, now).await
}

impl NotFound {
    fn delivery(&self) -> Delivery {
        let call = &self.answer.call;
        let result = PersonResult { person_id: None, finding: Finding::NotFound, remark: None };
        Delivery::new(call.provider, call.call_id.to_string(), None, [result], None)
    }
}
