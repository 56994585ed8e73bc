//! Which people go into the calls of a claim, and which batches pay: first isolation groups, then people batch by batch.

use std::collections::BTreeMap;

use db::Conn;
use jobs::fairness::shares;
use jobs::lookup::{Next, PRICE_OF_MATCH};
use jobs::{CallKind, Credits, Price, Timestamp};

use crate::calls::claim::admission::Admitted;
use crate::calls::claim::candidates::{
    Candidate, DueBatch, due_batches, isolation_groups, last_served, take_from_batch,
    take_from_full, take_group,
};
use crate::calls::claim::isolated::OffQueue;
use crate::calls::claim::lookups::{kind_of, next, plan_lookup};
use crate::calls::claim::paying::{Budget, CallPlan, pay};
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;
use crate::gates::account::Account;
use crate::gates::gate::Gate;
use crate::reveals::counters::Totals;
use crate::reveals::unclaimed_range::Cursor;

/// The calls of a claim, and how far the claim went in the unclaimed ranges of the batches.
pub(super) struct Plan {
    pub(super) planned: Vec<CallPlan>,
    pub(super) cursors: Vec<Cursor>,
}

/// Fills calls: first isolation groups, if there are any, then people batch by batch. If people must be looked up first, a
/// lookup takes the place of reveals that would not be full.
pub(super) async fn plan_calls(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    admitted: &Admitted,
    off_queue: &OffQueue,
    now: Timestamp,
) -> Result<Plan> {
    let &Admitted { calls, people, to_look_up, .. } = admitted;
    let price = gate.price(ask.provider, ask.price);
    let account = Account::read(conn, ask.provider, gate).await?.map(|account| account.room());
    let mut budget = Budget::of(account);
    let mut planned = Vec::new();
    if off_queue.isolated {
        planned =
            plan_groups(conn, totals, ask, gate, (calls, people, price), &mut budget, now).await?;
    }
    let mut cursors = Vec::new();
    let batches = due_batches(conn, ask.provider).await?;
    let free = calls.saturating_sub(planned.len());
    let (next, ready) = next(conn, ask, &batches, off_queue, (free, people)).await?;
    let reveals = match next {
        Next::Reveal { calls } => calls,
        Next::Wait => 0,
        Next::LookUp => {
            let most = (to_look_up, ready);
            let lookup =
                plan_lookup(conn, totals, ask, &batches, most, price, &mut budget, now).await?;
            let reveals = if lookup.is_some() { 0 } else { free };
            planned.extend(lookup);
            reveals
        }
    };
    if reveals > 0 {
        let most = (planned.len() + reveals, people);
        plan_batches(
            conn,
            totals,
            ask,
            &batches,
            most,
            price,
            &mut budget,
            &mut planned,
            &mut cursors,
            now,
        )
        .await?;
    }
    for call in &planned {
        for payer in &call.payers {
            totals.reserve(*payer, ask.provider, call.kind.people_asked(1), call.price);
        }
    }
    Ok(Plan { planned, cursors })
}

/// Fills up to `calls` calls, of `people` people each, batch by batch.
#[expect(clippy::too_many_arguments, reason = "one plan with everything it rests on")]
async fn plan_batches(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    batches: &[DueBatch],
    (calls, people): (usize, usize),
    price: Price,
    budget: &mut Budget,
    planned: &mut Vec<CallPlan>,
    cursors: &mut Vec<Cursor>,
    now: Timestamp,
) -> Result<()> {
    let last_served = last_served(batches);
    for group in batches.chunk_by(|one, other| one.priority == other.priority) {
        let wanted = calls.saturating_sub(planned.len()) * people + room_in_last(planned, people);
        if wanted == 0 {
            break;
        }
        let shared = shared_out(group, wanted);
        // The places that a batch can't fill go to the next batch: some batches only share people that other batches own.
        let mut unused = wanted - shared.iter().map(|(_, _, share)| share).sum::<usize>();
        let mut all_paid: BTreeMap<usize, Vec<(Candidate, i64)>> = BTreeMap::new();
        for (order, due, share) in shared {
            budget.note(due.batch, due.left);
            let most = share + unused;
            if most == 0 {
                continue;
            }
            let mut candidates = take_from_batch(conn, ask.provider, due, most, cursors).await?;
            if candidates.is_empty() && !budget.short {
                take_from_full(conn, totals, ask.provider, due.batch, most, now).await?;
                // People who came over are not in this batch's unclaimed range.
                let mut due = *due;
                due.others = true;
                candidates = take_from_batch(conn, ask.provider, &due, most, cursors).await?;
            }
            let paid = pay(conn, totals, ask, candidates, price, budget, now).await?;
            unused = most - paid.len();
            if group.len() > 1 && !paid.is_empty() {
                totals.was_served(due.batch, ask.provider, last_served + 1 - due.served);
            }
            all_paid.insert(order, paid);
        }
        for paid in all_paid.into_values() {
            add_to_calls(planned, paid, people, price.reserved);
        }
    }
    Ok(())
}

/// Returns batches of one priority with their places in the order of service and their shares of what is `wanted`. The
/// smallest batch comes first. Batches without a share come last and get what the other batches leave.
fn shared_out(batches: &[DueBatch], wanted: usize) -> Vec<(usize, &DueBatch, usize)> {
    let waiting: Vec<usize> = batches.iter().map(|due| due.waiting).collect();
    let shares = shares(wanted, &waiting);
    let mut shared: Vec<(usize, &DueBatch, usize)> = batches
        .iter()
        .zip(shares)
        .enumerate()
        .map(|(order, (due, share))| (order, due, share))
        .collect();
    shared.sort_by_key(|(_, due, share)| (*share == 0, due.waiting));
    shared
}

/// Plans one call for each isolation group. A group that no batch can pay for leaves its call to the next group.
async fn plan_groups(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    (calls, people, price): (usize, usize, Price),
    budget: &mut Budget,
    now: Timestamp,
) -> Result<Vec<CallPlan>> {
    let mut planned = Vec::new();
    let mut after = 0;
    while planned.len() < calls && !budget.short {
        let left = calls - planned.len();
        let groups = isolation_groups(conn, ask.provider, gate, after, left, now).await?;
        let Some(&last) = groups.last() else { break };
        for group in groups {
            let candidates = take_group(conn, ask.provider, group, people).await?;
            let kind = kind_of(ask.provider, &candidates);
            let reserved = match kind {
                CallKind::Reveal => price.reserved,
                CallKind::Lookup => PRICE_OF_MATCH,
            };
            let paid = pay(conn, totals, ask, candidates, price, budget, now).await?;
            planned.extend(into_calls(kind, paid, people, reserved, true));
        }
        after = last;
    }
    Ok(planned)
}

fn into_calls(
    kind: CallKind,
    paid: Vec<(Candidate, i64)>,
    people: usize,
    price: Credits,
    isolating: bool,
) -> Vec<CallPlan> {
    let mut planned: Vec<CallPlan> = Vec::new();
    for (person, payer) in paid {
        match planned.last_mut() {
            Some(last) if last.people.len() < people => {
                last.people.push(person);
                last.payers.push(payer);
            }
            _ => {
                let (people, payers) = (vec![person], vec![payer]);
                planned.push(CallPlan { kind, people, payers, price, isolating });
            }
        }
    }
    planned
}

/// How many people the last call still takes.
fn room_in_last(planned: &[CallPlan], people: usize) -> usize {
    let last = planned.last().filter(|last| !last.isolating);
    last.map_or(0, |last| people.saturating_sub(last.people.len()))
}

/// Adds people to the calls: people of a later batch fill up the last call of an earlier one.
fn add_to_calls(
    planned: &mut Vec<CallPlan>,
    paid: Vec<(Candidate, i64)>,
    people: usize,
    price: Credits,
) {
    let mut paid = paid.into_iter();
    if let Some(last) = planned.last_mut().filter(|last| !last.isolating) {
        while last.people.len() < people
            && let Some((person, payer)) = paid.next()
        {
            last.people.push(person);
            last.payers.push(payer);
        }
    }
    planned.extend(into_calls(CallKind::Reveal, paid.collect(), people, price, false));
}
