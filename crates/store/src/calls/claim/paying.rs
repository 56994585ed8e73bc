//! Which batches pay for the people of a claim, and what may still be reserved.

use std::collections::{BTreeSet, HashMap};

use db::{Conn, Ints};
use jobs::budget::{self, Room, allocate};
use jobs::{Credits, Price, Provider, Timestamp};

use crate::calls::claim::candidates::{Candidate, credits_left};
use crate::calls::claimed::ClaimReveals;
use crate::error::Result;
use crate::people::suppressed::{end_waiting, suppressed_among};
use crate::reveals::charge::display_charges;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::rows_showing;
use crate::reveals::ownership::assign_owners;
use crate::topic::Topic;

/// A call that is about to be written.
pub(super) type CallPlan = jobs::call_plan::CallPlan<Candidate>;

/// The credits that may still be reserved.
pub(super) struct Budget {
    /// Batches that are published and not cancelled, as far as they were read; `room` holds those with a ceiling.
    wanting: BTreeSet<i64>,
    pub(super) room: Room,
    /// Whether the account ran out.
    pub(super) short: bool,
}

impl Budget {
    /// Starts with the credits in the account, if they are known.
    pub(super) fn of(account: Option<Credits>) -> Self {
        let room = Room { account, batches: HashMap::new() };
        Budget { wanting: BTreeSet::new(), room, short: false }
    }

    /// Notes a batch that wants people, and the credits that it may still spend, if it has a ceiling.
    pub(super) fn note(&mut self, batch: i64, left: Option<Credits>) {
        if self.wanting.insert(batch)
            && let Some(left) = left
        {
            self.room.batches.insert(batch, left);
        }
    }
}

/// Plans the calls of one claim.
pub(super) struct Planner<'a> {
    pub(super) ask: &'a ClaimReveals,
    pub(super) totals: &'a mut Totals,
    pub(super) price: Price,
    pub(super) budget: Budget,
    pub(super) now: Timestamp,
}

impl Planner<'_> {
    /// Finds a payer for each candidate. Candidates without one leave the queue or wait at the ceiling.
    pub(super) async fn pay(
        &mut self,
        conn: &mut Conn,
        mut candidates: Vec<Candidate>,
    ) -> Result<Vec<(Candidate, i64)>> {
        let people = candidates.iter().map(|person| (person.id, person.subject.as_str()));
        let suppressed = suppressed_among(conn, people).await?;
        if !suppressed.is_empty() {
            candidates.retain(|person| !suppressed.contains(&person.id));
            end_waiting(conn, self.totals, &suppressed, self.now).await?;
        }
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = wanted_by(conn, self.ask.provider, &mut candidates, &mut self.budget).await?;
        let allocation = allocate(&wanted, self.price, &mut self.budget.room);
        // People wanted only by a batch that is still loading wait for it.
        assign_owners(conn, self.totals, &allocation.unwanted, self.now).await?;
        if allocation.account_short {
            self.budget.short = true;
            ask_balance_soon(conn, self.ask, self.now).await?;
        }
        let mut by_id: HashMap<i64, Candidate> =
            candidates.into_iter().map(|p| (p.id, p)).collect();
        let paid: Vec<(Candidate, i64)> = allocation
            .paid
            .into_iter()
            .filter_map(|(reveal, payer)| Some((by_id.remove(&reveal)?, payer)))
            .collect();
        // The batch that was to pay when the rows came may be gone, or at its ceiling.
        let otherwise = paid.iter().filter(|(person, payer)| person.charged[..] != [*payer]);
        let otherwise: Vec<(i64, i64)> =
            otherwise.map(|(person, payer)| (person.id, *payer)).collect();
        display_charges(conn, &otherwise).await?;
        Ok(paid)
    }
}

/// Returns for each candidate the batches that want the person, in the order in which they pay. Counts the rows that
/// display the person.
async fn wanted_by(
    conn: &mut Conn,
    provider: Provider,
    candidates: &mut [Candidate],
    budget: &mut Budget,
) -> Result<Vec<budget::Candidate>> {
    let ids: Vec<i64> = candidates.iter().map(|p| p.id).collect();
    let shown = rows_showing(conn, &ids).await?;
    let batches: BTreeSet<i64> = shown.iter().map(|row| row.batch_id).collect();
    read_batches(conn, provider, &batches, budget).await?;
    let mut people: HashMap<i64, &mut Candidate> =
        candidates.iter_mut().map(|p| (p.id, p)).collect();
    for row in shown {
        if let Some(person) = people.get_mut(&row.reveal_id) {
            person.count_row(row.batch_id, row.shared == 1);
        }
    }
    let candidate = |person: &Candidate| budget::Candidate {
        reveal: person.id,
        wanted_by: person.batches().filter(|batch| budget.wanting.contains(batch)).collect(),
    };
    Ok(candidates.iter().map(candidate).collect())
}

/// Reads which of the batches want people, as far as that isn't known.
async fn read_batches(
    conn: &mut Conn,
    provider: Provider,
    batches: &BTreeSet<i64>,
    budget: &mut Budget,
) -> Result<()> {
    let unknown: Vec<i64> = batches.difference(&budget.wanting).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let wanting: Vec<(i64, Option<i64>)> = conn
        .fetch_all(
            concat!(
                "SELECT b.id, ",
                credits_left!(),
                " FROM IDS($1) AS e JOIN batches b ON b.id = e.value
             LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $2
             WHERE b.published_at IS NOT NULL AND b.cancelled_at IS NULL",
            ),
            &[&Ints::of(&unknown), &provider.as_str()],
        )
        .await?;
    for (batch, left) in wanting {
        budget.note(batch, left.map(Credits::from_thousandths));
    }
    Ok(())
}

/// Schedules a reading of the balance soon, unless one is due anyway: the known balance is too small for the next person.
async fn ask_balance_soon(conn: &mut Conn, ask: &ClaimReveals, now: Timestamp) -> Result<()> {
    let interval = i64::try_from(ask.credits_check_interval.as_millis()).unwrap_or(i64::MAX / 4);
    conn.execute(
        "UPDATE provider_gates SET balance_due_at =
            CASE WHEN balance_at IS NULL OR balance_at + $3 < $2 THEN $2 ELSE balance_at + $3 END
         WHERE provider = $1 AND balance_due_at IS NULL",
        &[&ask.provider.as_str(), &now.0, &interval],
    )
    .await?;
    conn.announce(Topic::Queue);
    Ok(())
}
