//! Lookups find the ids of people who are known by their LinkedIn addresses only. They share gate, rate and credits with
//! the reveals, and are claimed with them.

use db::Conn;
use jobs::lookup::{MOST_PEOPLE, Next, PRICE_OF_MATCH, Waiting, affordable, is_to_be_looked_up};
use jobs::{CallKind, Provider, lookup};

use crate::calls::claim::candidates::{Candidate, DueBatch, last_served, take_to_look_up};
use crate::calls::claim::isolated::OffQueue;
use crate::calls::claim::paying::{CallPlan, Planner};
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;

/// The kind of call for people who were in a call together before.
pub(super) fn kind_of(provider: Provider, people: &[Candidate]) -> CallKind {
    let first = people.first();
    match first.is_some_and(|person| is_to_be_looked_up(provider, &person.subject)) {
        true => CallKind::Lookup,
        false => CallKind::Reveal,
    }
}

/// Decides what a claim sends next, with room for `calls` calls of `people` people each. Also returns how many people can
/// be asked for; 0 if that was not counted.
pub(super) async fn next(
    conn: &mut Conn,
    ask: &ClaimReveals,
    batches: &[DueBatch],
    off_queue: &OffQueue,
    (calls, people): (usize, usize),
) -> Result<(Next, usize)> {
    let &OffQueue { to_look_up, lookup_is_out: is_out, .. } = off_queue;
    let mut ready = 0;
    if to_look_up || is_out {
        for due in batches {
            ready += due.ready(conn, ask.provider, (calls * people).saturating_sub(ready)).await?;
        }
    }
    Ok((lookup::next(Waiting { to_look_up, is_out, ready }, calls, people), ready))
}

/// Plans a lookup of at most `most` people, batch by batch in the order in which they are served; `None` if no batch can
/// pay. `ready` people can be asked for already and come first: credits must be left to ask for each person who is looked
/// up.
pub(super) async fn plan_lookup(
    conn: &mut Conn,
    planner: &mut Planner<'_>,
    batches: &[DueBatch],
    (most, ready): (usize, usize),
) -> Result<Option<CallPlan>> {
    let (provider, price) = (planner.ask.provider, planner.price);
    let mut left =
        affordable(planner.budget.room.account, price.least, ready).map_or(most, |n| n.min(most));
    if left == 0 && ready == 0 {
        // Trying one person makes a worker ask for the balance.
        left = 1;
    }
    let (people, payers) = (Vec::new(), Vec::new());
    let mut call = CallPlan {
        kind: CallKind::Lookup,
        people,
        payers,
        price: PRICE_OF_MATCH,
        isolating: false,
    };
    for due in batches {
        planner.budget.note(due.batch, due.left);
        let ready = match due.left {
            Some(_) => due.ready(conn, provider, MOST_PEOPLE).await?,
            None => 0,
        };
        let affordable = affordable(due.left, price.reserved, ready).map_or(left, |n| n.min(left));
        if affordable == 0 {
            continue;
        }
        let candidates = take_to_look_up(conn, due, affordable).await?;
        let paid = planner.pay(conn, candidates).await?;
        left -= paid.len();
        if batches.len() > 1 && !paid.is_empty() {
            planner.totals.was_served(due.batch, provider, last_served(batches) + 1 - due.served);
        }
        for (person, payer) in paid {
            call.people.push(person);
            call.payers.push(payer);
        }
    }
    Ok((!call.people.is_empty()).then_some(call))
}
