//! Who goes into the calls of a claim, and who pays: first groups that must be asked apart, then people
//! batch by batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use db::{Conn, exec, json, rows};
use jobs::budget::{Candidate, Room, allocate};
use jobs::fairness::shares;
use jobs::{Credits, Price, Provider, Timestamp};

use crate::calls::claim::admission::Admitted;
use crate::calls::claim::candidates::{
    Lane, Picked, credits_left, due_cohorts, due_lanes, pick_cohort, pick_lane, take_from_full,
};
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;
use crate::gates::account::Account;
use crate::gates::gate::Gate;
use crate::people::suppressed::{end_waiting, suppressed_among};
use crate::reveals::charge::bill;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::rows_showing;
use crate::reveals::ownership::find_lanes;
use crate::reveals::unclaimed_range::Walked;
use crate::topic::Topic;

/// A call about to be written.
pub(super) struct Draft {
    pub(super) people: Vec<Picked>,
    pub(super) payers: Vec<i64>,
    pub(super) price: Credits,
    pub(super) isolating: bool,
}

/// What was drafted, and how far along their newcomers it went.
pub(super) struct Drafts {
    pub(super) drafts: Vec<Draft>,
    pub(super) walked: Vec<Walked>,
}

/// What may still be reserved.
struct Wallet {
    /// Batches that are there and not cancelled, as far as they were looked up; `room` has those with a ceiling.
    wanting: BTreeSet<i64>,
    room: Room,
    /// The account ran out.
    short: bool,
}

impl Wallet {
    /// A batch that wants people, and what it may still spend, if it has a ceiling.
    fn note(&mut self, batch: i64, left: Option<Credits>) {
        if self.wanting.insert(batch)
            && let Some(left) = left
        {
            self.room.batches.insert(batch, left);
        }
    }
}

/// Fills calls: first groups that must be asked `apart`, if there are any, then people batch by batch.
pub(super) async fn draft_calls(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    &Admitted { calls, people, .. }: &Admitted,
    apart: bool,
    now: Timestamp,
) -> Result<Drafts> {
    let price = gate.price(ask.provider, ask.price);
    let account = Account::read(conn, ask.provider, gate).await?.map(|account| account.room());
    let room = Room { account, batches: HashMap::new() };
    let mut wallet = Wallet { wanting: BTreeSet::new(), room, short: false };
    let mut drafts = Vec::new();
    if apart {
        drafts = draft_cohorts(conn, totals, ask, gate, (calls, people, price), &mut wallet, now)
            .await?;
    }
    let mut walked = Vec::new();
    let lanes = due_lanes(conn, ask.provider).await?;
    let last_turn = lanes.iter().map(|lane| lane.turn).max().unwrap_or(0);
    for group in lanes.chunk_by(|one, other| one.priority == other.priority) {
        let wanted = calls.saturating_sub(drafts.len()) * people + room_in_last(&drafts, people);
        if wanted == 0 {
            break;
        }
        let shared = shared_out(group, wanted);
        // What a batch has no use for goes to the next, the largest of which comes last.
        let mut unused = wanted - shared.iter().map(|(_, _, share)| share).sum::<usize>();
        let mut all_drafted: BTreeMap<usize, Vec<(Picked, i64)>> = BTreeMap::new();
        for (turn, lane, share) in shared {
            wallet.note(lane.batch, lane.left);
            let most = share + unused;
            if most == 0 {
                continue;
            }
            let mut picked = pick_lane(conn, ask.provider, lane, most, &mut walked).await?;
            if picked.is_empty() && !wallet.short {
                take_from_full(conn, totals, ask.provider, lane.batch, most, now).await?;
                // Who came over is no newcomer here.
                let mut lane = *lane;
                lane.others = true;
                picked = pick_lane(conn, ask.provider, &lane, most, &mut walked).await?;
            }
            let drafted = pay(conn, totals, ask, picked, price, &mut wallet, now).await?;
            unused = most - drafted.len();
            if group.len() > 1 && !drafted.is_empty() {
                totals.had_turn(lane.batch, ask.provider, last_turn + 1 - lane.turn);
            }
            all_drafted.insert(turn, drafted);
        }
        for drafted in all_drafted.into_values() {
            merge_drafts(&mut drafts, drafted, people, price.reserved);
        }
    }
    for draft in &drafts {
        for payer in &draft.payers {
            totals.reserve(*payer, ask.provider, 1, price.reserved);
        }
    }
    Ok(Drafts { drafts, walked })
}

/// Batches of one priority with their places in the order of turns and their shares of what is `wanted`, the smallest
/// first.
fn shared_out(lanes: &[Lane], wanted: usize) -> Vec<(usize, &Lane, usize)> {
    let waiting: Vec<usize> = lanes.iter().map(|lane| lane.waiting).collect();
    let shares = shares(wanted, &waiting);
    let mut shared: Vec<(usize, &Lane, usize)> = lanes
        .iter()
        .zip(shares)
        .enumerate()
        .map(|(turn, (lane, share))| (turn, lane, share))
        .collect();
    shared.sort_by_key(|(_, lane, _)| lane.waiting);
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
            let drafted = pay(conn, totals, ask, picked, price, wallet, now).await?;
            drafts.extend(into_drafts(drafted, people, price.reserved, true));
        }
        after = last;
    }
    Ok(drafts)
}

fn into_drafts(
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
            _ => drafts.push(Draft { people: vec![person], payers: vec![payer], price, isolating }),
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
    drafts.extend(into_drafts(paid.collect(), people, price, false));
}

/// Finds a payer for each; those without one leave the queue or wait at the ceiling.
async fn pay(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    mut picked: Vec<Picked>,
    price: Price,
    wallet: &mut Wallet,
    now: Timestamp,
) -> Result<Vec<(Picked, i64)>> {
    let people = picked.iter().map(|person| (person.id, person.subject.as_str()));
    let suppressed = suppressed_among(conn, people).await?;
    if !suppressed.is_empty() {
        picked.retain(|person| !suppressed.contains(&person.id));
        end_waiting(conn, totals, &suppressed, now).await?;
    }
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    let candidates = candidates(conn, ask.provider, &mut picked, wallet).await?;
    let allocation = allocate(&candidates, price, &mut wallet.room);
    // Those whom only a batch wants that is still loading wait for it.
    find_lanes(conn, totals, &allocation.unwanted, now).await?;
    if allocation.account_short {
        wallet.short = true;
        ask_balance_soon(conn, ask, now).await?;
    }
    let mut by_id: HashMap<i64, Picked> = picked.into_iter().map(|p| (p.id, p)).collect();
    let paid: Vec<(Picked, i64)> = allocation
        .paid
        .into_iter()
        .filter_map(|(reveal, payer)| Some((by_id.remove(&reveal)?, payer)))
        .collect();
    // Whoever was to pay when the rows came may be gone, or at their ceiling.
    let otherwise = paid.iter().filter(|(person, payer)| person.billed[..] != [*payer]);
    let otherwise: Vec<(i64, i64)> = otherwise.map(|(person, payer)| (person.id, *payer)).collect();
    bill(conn, &otherwise).await?;
    Ok(paid)
}

/// For each person the batches that want it, in the order in which they pay; and the rows that show it.
async fn candidates(
    conn: &mut Conn,
    provider: Provider,
    picked: &mut [Picked],
    wallet: &mut Wallet,
) -> Result<Vec<Candidate>> {
    let ids: Vec<i64> = picked.iter().map(|p| p.id).collect();
    let shown = rows_showing(conn, &ids).await?;
    let batches: BTreeSet<i64> = shown.iter().map(|(_, batch, _)| *batch).collect();
    look_up(conn, provider, &batches, wallet).await?;
    let mut people: HashMap<i64, &mut Picked> = picked.iter_mut().map(|p| (p.id, p)).collect();
    for (reveal, batch, shared) in shown {
        if let Some(person) = people.get_mut(&reveal) {
            person.count_row(batch, shared == 1);
        }
    }
    let candidate = |person: &Picked| Candidate {
        reveal: person.id,
        wanted_by: person.batches().filter(|batch| wallet.wanting.contains(batch)).collect(),
    };
    Ok(picked.iter().map(candidate).collect())
}

/// Which of the batches want people, as far as it isn't known.
async fn look_up(
    conn: &mut Conn,
    provider: Provider,
    batches: &BTreeSet<i64>,
    wallet: &mut Wallet,
) -> Result<()> {
    let unknown: Vec<i64> = batches.difference(&wallet.wanting).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let wanting: Vec<(i64, Option<i64>)> = rows!(
        conn,
        concat!(
            "SELECT b.id, ",
            credits_left!(),
            " FROM IDS($1) AS e JOIN batches b ON b.id = CAST(e.value AS BIGINT)
             LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $2
             WHERE b.published_at IS NOT NULL AND b.cancelled_at IS NULL",
        ),
        json(&unknown),
        provider.as_str(),
    )?;
    for (batch, left) in wanting {
        wallet.note(batch, left.map(Credits::from_thousandths));
    }
    Ok(())
}

/// What we believe is too little for the next person: the account is asked, unless it is to be anyway.
async fn ask_balance_soon(conn: &mut Conn, ask: &ClaimReveals, now: Timestamp) -> Result<()> {
    let interval = i64::try_from(ask.credits_check_interval.as_millis()).unwrap_or(i64::MAX / 4);
    exec!(
        conn,
        "UPDATE provider_gates SET balance_due_at =
            CASE WHEN balance_at IS NULL OR balance_at + $3 < $2 THEN $2 ELSE balance_at + $3 END
         WHERE provider = $1 AND balance_due_at IS NULL",
        ask.provider.as_str(),
        now.0,
        interval,
    )?;
    conn.announce(Topic::Queue);
    Ok(())
}
