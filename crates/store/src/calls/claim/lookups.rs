//! Lookups: which ids people have who are known by their LinkedIn addresses only. They share gate, rate and credits with
//! the reveals, and are claimed with them.

use db::Conn;
use jobs::lookup::{MOST_PEOPLE, Next, PRICE_OF_MATCH, Waiting, affordable, is_to_be_looked_up};
use jobs::{CallKind, Price, Provider, Timestamp, lookup};

use crate::calls::claim::candidates::{Lane, Picked, last_turn, pick_to_look_up};
use crate::calls::claim::isolated::Aside;
use crate::calls::claim::paying::{Draft, Wallet, pay};
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;
use crate::reveals::counters::Totals;

/// For what these people are asked, who were in a call together before.
pub(super) fn kind_of(provider: Provider, people: &[Picked]) -> CallKind {
    let first = people.first();
    match first.is_some_and(|person| is_to_be_looked_up(provider, &person.subject)) {
        true => CallKind::Lookup,
        false => CallKind::Reveal,
    }
}

/// What goes next of what a claim may send, which is so many calls of so many people; and how many people can be asked,
/// where that was counted.
pub(super) async fn next(
    conn: &mut Conn,
    ask: &ClaimReveals,
    lanes: &[Lane],
    aside: &Aside,
    (calls, people): (usize, usize),
) -> Result<(Next, usize)> {
    let &Aside { to_look_up, lookup_is_out: is_out, .. } = aside;
    let mut ready = 0;
    if to_look_up || is_out {
        for lane in lanes {
            ready += lane.ready(conn, ask.provider, (calls * people).saturating_sub(ready)).await?;
        }
    }
    Ok((lookup::next(Waiting { to_look_up, is_out, ready }, calls, people), ready))
}

/// A lookup of at most so many people, by batches in the order of their turns; none if no batch can pay. `ready` people can
/// be asked already and come first: credits must be left to ask for each who is looked up.
#[expect(clippy::too_many_arguments, reason = "one plan with everything it rests on")]
pub(super) async fn draft_lookup(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    lanes: &[Lane],
    (most, ready): (usize, usize),
    price: Price,
    wallet: &mut Wallet,
    now: Timestamp,
) -> Result<Option<Draft>> {
    let mut left =
        affordable(wallet.room.account, price.least, ready).map_or(most, |n| n.min(most));
    if left == 0 && ready == 0 {
        // Trying one person has the balance asked for.
        left = 1;
    }
    let (people, payers) = (Vec::new(), Vec::new());
    let mut draft =
        Draft { kind: CallKind::Lookup, people, payers, price: PRICE_OF_MATCH, isolating: false };
    for lane in lanes {
        wallet.note(lane.batch, lane.left);
        let ready = match lane.left {
            Some(_) => lane.ready(conn, ask.provider, MOST_PEOPLE).await?,
            None => 0,
        };
        let affordable = affordable(lane.left, price.reserved, ready).map_or(left, |n| n.min(left));
        if affordable == 0 {
            continue;
        }
        let picked = pick_to_look_up(conn, lane, affordable).await?;
        let paid = pay(conn, totals, ask, picked, price, wallet, now).await?;
        left -= paid.len();
        if lanes.len() > 1 && !paid.is_empty() {
            totals.had_turn(lane.batch, ask.provider, last_turn(lanes) + 1 - lane.turn);
        }
        for (person, payer) in paid {
            draft.people.push(person);
            draft.payers.push(payer);
        }
    }
    Ok((!draft.people.is_empty()).then_some(draft))
}
