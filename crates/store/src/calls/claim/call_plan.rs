//! Which people go into the calls of a claim, and which batches pay: first isolation groups, then people batch by batch. The
//! decisions are `jobs::fairness`, `jobs::budget`, `jobs::lookup` and `jobs::call_plan`; this file reads what they need.

use std::collections::BTreeMap;

use db::Conn;
use jobs::call_plan::CallPlans;
use jobs::fairness::Places;
use jobs::lookup::{Next, PRICE_OF_MATCH};
use jobs::{CallKind, Timestamp};

use crate::calls::claim::admission::Admitted;
use crate::calls::claim::candidates::{
    Candidate, DueBatch, isolation_groups, last_served, take_from_batch, take_from_full, take_group,
};
use crate::calls::claim::isolated::OffQueue;
use crate::calls::claim::lookups::{kind_of, next, plan_lookup};
use crate::calls::claim::paying::{Budget, CallPlan, Planner};
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
    (off_queue, batches): (&OffQueue, &[DueBatch]),
    now: Timestamp,
) -> Result<Plan> {
    let &Admitted { calls, people, to_look_up, .. } = admitted;
    let price = gate.price(ask.provider, ask.price);
    let account = Account::read(conn, ask.provider, gate).await?.map(|account| account.room());
    let mut planner = Planner { ask, totals, price, budget: Budget::of(account), now };
    let mut plans = CallPlans::of(people);
    if off_queue.isolated {
        plan_groups(conn, &mut planner, gate, (calls, people), &mut plans).await?;
    }
    let mut cursors = Vec::new();
    let free = calls.saturating_sub(plans.len());
    let (next, ready) = next(conn, ask, batches, off_queue, (free, people)).await?;
    let reveals = match next {
        Next::Reveal { calls } => calls,
        Next::Wait => 0,
        Next::LookUp => {
            match plan_lookup(conn, &mut planner, batches, (to_look_up, ready)).await? {
                Some(lookup) => {
                    plans.push(lookup);
                    0
                }
                None => free,
            }
        }
    };
    if reveals > 0 {
        let most = plans.len() + reveals;
        plan_batches(conn, &mut planner, batches, most, &mut plans, &mut cursors).await?;
    }
    let planned = plans.into_calls();
    for call in &planned {
        for payer in &call.payers {
            planner.totals.reserve(*payer, ask.provider, call.kind.people_asked(1), call.price);
        }
    }
    Ok(Plan { planned, cursors })
}

/// Fills calls batch by batch, until there are `most` calls.
async fn plan_batches(
    conn: &mut Conn,
    planner: &mut Planner<'_>,
    batches: &[DueBatch],
    most: usize,
    plans: &mut CallPlans<Candidate>,
    cursors: &mut Vec<Cursor>,
) -> Result<()> {
    let provider = planner.ask.provider;
    let last_served = last_served(batches);
    for group in batches.chunk_by(|one, other| one.priority == other.priority) {
        let wanted = plans.room(most);
        if wanted == 0 {
            break;
        }
        let waiting: Vec<usize> = group.iter().map(|due| due.waiting).collect();
        let mut places = Places::share_out(wanted, &waiting);
        // By the order of service, since that is the order in the calls.
        let mut all_paid: BTreeMap<usize, Vec<(Candidate, i64)>> = BTreeMap::new();
        while let Some((nth, most)) = places.next_batch() {
            let due = &group[nth];
            planner.budget.note(due.batch, due.left);
            let candidates = take_own_or_shared(conn, planner, due, most, cursors).await?;
            let paid = planner.pay(conn, candidates).await?;
            places.fill(paid.len());
            if group.len() > 1 && !paid.is_empty() {
                planner.totals.was_served(due.batch, provider, last_served + 1 - due.served);
            }
            all_paid.insert(nth, paid);
        }
        for paid in all_paid.into_values() {
            plans.add(paid, planner.price.reserved);
        }
    }
    Ok(())
}

/// Takes people of a batch; if it owns none, people that it shares with batches at their ceiling.
async fn take_own_or_shared(
    conn: &mut Conn,
    planner: &mut Planner<'_>,
    due: &DueBatch,
    most: usize,
    cursors: &mut Vec<Cursor>,
) -> Result<Vec<Candidate>> {
    let provider = planner.ask.provider;
    let own = take_from_batch(conn, provider, due, most, cursors).await?;
    if !own.is_empty() || planner.budget.short {
        return Ok(own);
    }
    take_from_full(conn, planner.totals, provider, due.batch, most, planner.now).await?;
    // People who came over are not in this batch's unclaimed range.
    let mut due = *due;
    due.others = true;
    take_from_batch(conn, provider, &due, most, cursors).await
}

/// Plans one call for each isolation group. A group that no batch can pay for leaves its call to the next group.
async fn plan_groups(
    conn: &mut Conn,
    planner: &mut Planner<'_>,
    gate: &Gate,
    (calls, people): (usize, usize),
    plans: &mut CallPlans<Candidate>,
) -> Result<()> {
    let provider = planner.ask.provider;
    let mut after = 0;
    while plans.len() < calls && !planner.budget.short {
        let left = calls - plans.len();
        let groups = isolation_groups(conn, provider, gate, after, left, planner.now).await?;
        let Some(&last) = groups.last() else { break };
        for group in groups {
            let candidates = take_group(conn, provider, group, people).await?;
            let kind = kind_of(provider, &candidates);
            let reserved = match kind {
                CallKind::Reveal => planner.price.reserved,
                CallKind::Lookup => PRICE_OF_MATCH,
            };
            let paid = planner.pay(conn, candidates).await?;
            plans.isolate(kind, paid, reserved);
        }
        after = last;
    }
    Ok(())
}
