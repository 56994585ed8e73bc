//! Who goes into the calls of a claim, and who pays: first groups that must be asked apart, then people
//! batch by batch.

use std::collections::BTreeMap;

use db::Conn;
use jobs::fairness::shares;
use jobs::lookup::{Next, PRICE_OF_MATCH};
use jobs::{CallKind, Credits, Price, Timestamp};

use crate::calls::claim::admission::Admitted;
use crate::calls::claim::candidates::{
    Lane, Picked, due_cohorts, due_lanes, last_turn, pick_cohort, pick_lane, take_from_full,
};
use crate::calls::claim::isolated::Aside;
use crate::calls::claim::lookups::{draft_lookup, kind_of, next};
use crate::calls::claim::paying::{Draft, Wallet, pay};
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;
use crate::gates::account::Account;
use crate::gates::gate::Gate;
use crate::reveals::counters::Totals;
use crate::reveals::unclaimed_range::Walked;

/// What was drafted, and how far along their newcomers it went.
pub(super) struct Drafts {
    pub(super) drafts: Vec<Draft>,
    pub(super) walked: Vec<Walked>,
}

/// Fills calls: first groups that must be asked apart, if there are any, then people batch by batch. Where people must
/// be looked up before, a lookup goes in place of reveals that would not be full.
pub(super) async fn draft_calls(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    admitted: &Admitted,
    aside: &Aside,
    now: Timestamp,
) -> Result<Drafts> {
    let &Admitted { calls, people, to_look_up, .. } = admitted;
    let price = gate.price(ask.provider, ask.price);
    let account = Account::read(conn, ask.provider, gate).await?.map(|account| account.room());
    let mut wallet = Wallet::of(account);
    let mut drafts = Vec::new();
    if aside.apart {
        drafts = draft_cohorts(conn, totals, ask, gate, (calls, people, price), &mut wallet, now)
            .await?;
    }
    let mut walked = Vec::new();
    let lanes = due_lanes(conn, ask.provider).await?;
    let free = calls.saturating_sub(drafts.len());
    let (next, ready) = next(conn, ask, &lanes, aside, (free, people)).await?;
    let reveals = match next {
        Next::Reveal { calls } => calls,
        Next::Wait => 0,
        Next::LookUp => {
            let most = (to_look_up, ready);
            let lookup =
                draft_lookup(conn, totals, ask, &lanes, most, price, &mut wallet, now).await?;
            let reveals = if lookup.is_some() { 0 } else { free };
            drafts.extend(lookup);
            reveals
        }
    };
    if reveals > 0 {
        let most = (drafts.len() + reveals, people);
        draft_lanes(
            conn,
            totals,
            ask,
            &lanes,
            most,
            price,
            &mut wallet,
            &mut drafts,
            &mut walked,
            now,
        )
        .await?;
    }
    for draft in &drafts {
        for payer in &draft.payers {
            totals.reserve(*payer, ask.provider, draft.kind.people_asked(1), draft.price);
        }
    }
    Ok(Drafts { drafts, walked })
}

/// Fills up to so many calls, of so many people each, batch by batch.
#[expect(clippy::too_many_arguments, reason = "one plan with everything it rests on")]
async fn draft_lanes(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    lanes: &[Lane],
    (calls, people): (usize, usize),
    price: Price,
    wallet: &mut Wallet,
    drafts: &mut Vec<Draft>,
    walked: &mut Vec<Walked>,
    now: Timestamp,
) -> Result<()> {
    let last_turn = last_turn(lanes);
    for group in lanes.chunk_by(|one, other| one.priority == other.priority) {
        let wanted = calls.saturating_sub(drafts.len()) * people + room_in_last(drafts, people);
        if wanted == 0 {
            break;
        }
        let shared = shared_out(group, wanted);
        // What a batch has no use for goes to the next: some only share people who stand in other lanes.
        let mut unused = wanted - shared.iter().map(|(_, _, share)| share).sum::<usize>();
        let mut all_drafted: BTreeMap<usize, Vec<(Picked, i64)>> = BTreeMap::new();
        for (turn, lane, share) in shared {
            wallet.note(lane.batch, lane.left);
            let most = share + unused;
            if most == 0 {
                continue;
            }
            let mut picked = pick_lane(conn, ask.provider, lane, most, walked).await?;
            if picked.is_empty() && !wallet.short {
                take_from_full(conn, totals, ask.provider, lane.batch, most, now).await?;
                // Who came over is no newcomer here.
                let mut lane = *lane;
                lane.others = true;
                picked = pick_lane(conn, ask.provider, &lane, most, walked).await?;
            }
            let drafted = pay(conn, totals, ask, picked, price, wallet, now).await?;
            unused = most - drafted.len();
            if group.len() > 1 && !drafted.is_empty() {
                totals.had_turn(lane.batch, ask.provider, last_turn + 1 - lane.turn);
            }
            all_drafted.insert(turn, drafted);
        }
        for drafted in all_drafted.into_values() {
            merge_drafts(drafts, drafted, people, price.reserved);
        }
    }
    Ok(())
}

/// Batches of one priority with their places in the order of turns and their shares of what is `wanted`: the smallest
/// first, and last those without a share, for what others leave.
fn shared_out(lanes: &[Lane], wanted: usize) -> Vec<(usize, &Lane, usize)> {
    let waiting: Vec<usize> = lanes.iter().map(|lane| lane.waiting).collect();
    let shares = shares(wanted, &waiting);
    let mut shared: Vec<(usize, &Lane, usize)> = lanes
        .iter()
        .zip(shares)
        .enumerate()
        .map(|(turn, (lane, share))| (turn, lane, share))
        .collect();
    shared.sort_by_key(|(_, lane, share)| (*share == 0, lane.waiting));
    shared
}

/// One call for each group that must be asked apart. A group for whom nobody can pay leaves its call
/// to the next.
async fn draft_cohorts(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    (calls, people, price): (usize, usize, Price),
    wallet: &mut Wallet,
    now: Timestamp,
) -> Result<Vec<Draft>> {
    let mut drafts = Vec::new();
    let mut after = 0;
    while drafts.len() < calls && !wallet.short {
        let left = calls - drafts.len();
        let cohorts = due_cohorts(conn, ask.provider, gate, after, left, now).await?;
        let Some(&last) = cohorts.last() else { break };
        for cohort in cohorts {
            let picked = pick_cohort(conn, ask.provider, cohort, people).await?;
            let kind = kind_of(ask.provider, &picked);
            let reserved = match kind {
                CallKind::Reveal => price.reserved,
                CallKind::Lookup => PRICE_OF_MATCH,
            };
            let drafted = pay(conn, totals, ask, picked, price, wallet, now).await?;
            drafts.extend(into_drafts(kind, drafted, people, reserved, true));
        }
        after = last;
    }
    Ok(drafts)
}

fn into_drafts(
    kind: CallKind,
    paid: Vec<(Picked, i64)>,
    people: usize,
    price: Credits,
    isolating: bool,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (person, payer) in paid {
        match drafts.last_mut() {
            Some(last) if last.people.len() < people => {
                last.people.push(person);
                last.payers.push(payer);
            }
            _ => {
                let (people, payers) = (vec![person], vec![payer]);
                drafts.push(Draft { kind, people, payers, price, isolating });
            }
        }
    }
    drafts
}

/// How many people the last call still takes.
fn room_in_last(drafts: &[Draft], people: usize) -> usize {
    let last = drafts.last().filter(|last| !last.isolating);
    last.map_or(0, |last| people.saturating_sub(last.people.len()))
}

/// People of a later batch fill up the last call of an earlier one.
fn merge_drafts(drafts: &mut Vec<Draft>, paid: Vec<(Picked, i64)>, people: usize, price: Credits) {
    let mut paid = paid.into_iter();
    if let Some(last) = drafts.last_mut().filter(|last| !last.isolating) {
        while last.people.len() < people
            && let Some((person, payer)) = paid.next()
        {
            last.people.push(person);
            last.payers.push(payer);
        }
    }
    drafts.extend(into_drafts(CallKind::Reveal, paid.collect(), people, price, false));
}
