//! Taking people out of the queue: those of one batch, and groups that must be asked apart.

use db::{Conn, record, rows, value};
use jobs::{Credits, Provider, Timestamp};
use smallvec::SmallVec;

use crate::calls::claim::admission::DAILY_REQUESTS;
use crate::decode::optional_credits;
use crate::error::Result;
use crate::gates::gate::{Gate, day};
use crate::reveals::counters::Totals;
use crate::reveals::ownership::find_lanes;
use crate::reveals::unclaimed_range::{Newcomers, PickedRow, Walked};

/// The part of a day's requests that the search for bad ids may use.
pub(super) const ISOLATION_SHARE: i64 = 10;

/// A person taken from the queue.
pub(super) struct Picked {
    pub(super) id: i64,
    pub(super) subject: String,
    pub(super) attempts: i64,
    pub(super) repeat_of: Option<i64>,
    /// How many rows of which batch show them, in the order of the batches. Known once somebody to pay is
    /// looked for.
    pub(super) rows: SmallVec<[(i64, i64); 1]>,
    /// The batches of the rows that so far show what they cost.
    pub(super) billed: SmallVec<[i64; 1]>,
}

impl From<PickedRow> for Picked {
    fn from((id, subject, attempts, repeat_of): PickedRow) -> Self {
        Picked { id, subject, attempts, repeat_of, rows: SmallVec::new(), billed: SmallVec::new() }
    }
}

impl Picked {
    /// Another row of this batch shows them; it may share what they cost.
    pub(super) fn count_row(&mut self, batch: i64, shared: bool) {
        if !shared {
            self.billed.push(batch);
        }
        match self.rows.binary_search_by_key(&batch, |(of, _)| *of) {
            Ok(place) => self.rows[place].1 += 1,
            Err(place) => self.rows.insert(place, (batch, 1)),
        }
    }

    /// Those whose rows show them.
    pub(super) fn batches(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|(batch, _)| *batch)
    }
}

/// A batch with people in the queue.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    pub(super) batch: i64,
    newcomers: Option<Newcomers>,
    /// Others than newcomers stand in it, too.
    pub(super) others: bool,
    /// What it may still spend, if it has a ceiling.
    pub(super) left: Option<Credits>,
    pub(super) priority: i64,
    /// Rows whose people wait; some may stand in other lanes.
    pub(super) waiting: usize,
    /// Grows with each turn that it has beside others: the least is next.
    pub(super) turn: i64,
}

impl Lane {
    /// How many people in it can be asked for, counted up to `most`; those who must be looked up first are not among them.
    pub(super) async fn ready(
        &self,
        conn: &mut Conn,
        provider: Provider,
        most: usize,
    ) -> Result<usize> {
        let mut ready = 0;
        if self.others {
            let others: i64 = value!(
                conn,
                "SELECT COUNT(*) FROM (
                    SELECT id FROM reveals WHERE queue_lane = $1 AND provider = $2 LIMIT $3) q",
                self.batch,
                provider.as_str(),
                most as i64,
            )?;
            ready = usize::try_from(others).unwrap_or(0);
        }
        if let Some(newcomers) = self.newcomers.filter(|_| ready < most) {
            ready += newcomers.count(conn, provider, most - ready).await?;
        }
        Ok(ready)
    }
}

record! {
    struct LaneRow {
        batch: i64,
        priority: i64,
        queued: i64,
        turn: i64,
        next: Option<i64>,
        last: Option<i64>,
        others: i64,
        credits_left: Option<Credits> = optional_credits,
    }
}

/// What a batch may still spend at a provider, if it has a ceiling there: of its `batch_totals t`.
macro_rules! credits_left {
    () => {
        "t.max_credits - t.credits_reserved - t.credits_spent - t.written_off"
    };
}

pub(super) use credits_left;

/// Batches with people in the queue, in the order of their turn.
pub(super) async fn due_lanes(conn: &mut Conn, provider: Provider) -> Result<Vec<Lane>> {
    let lanes: Vec<LaneRow> = rows!(
        conn,
        concat!(
            "SELECT b.id AS batch, b.priority, t.queued, t.turn, n.next, n.last,
                CAST(CASE WHEN EXISTS (SELECT 1 FROM reveals r WHERE r.queue_lane = b.id AND r.provider = t.provider)
                          THEN 1 ELSE 0 END AS BIGINT) AS others, ",
            credits_left!(),
            " AS credits_left
             FROM batches b JOIN batch_totals t ON t.batch_id = b.id
             LEFT JOIN newcomers n ON n.batch_id = t.batch_id AND n.provider = t.provider
             WHERE t.provider = $1 AND t.queued > 0 AND t.at_ceiling = 0
               AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
             ORDER BY b.priority DESC, t.turn, b.id",
        ),
        provider.as_str(),
    )?;
    let lane = |row: LaneRow| Lane {
        batch: row.batch,
        newcomers: row.next.zip(row.last).map(|(next, last)| Newcomers {
            batch: row.batch,
            next,
            last,
        }),
        others: row.others == 1,
        left: row.credits_left,
        priority: row.priority,
        waiting: usize::try_from(row.queued).unwrap_or(0),
        turn: row.turn,
    };
    Ok(lanes.into_iter().map(lane).collect())
}

/// The greatest turn of any of them.
pub(super) fn last_turn(lanes: &[Lane]) -> i64 {
    lanes.iter().map(|lane| lane.turn).max().unwrap_or(0)
}

/// Up to `most` groups that must be asked apart, those behind `after`. Groups that only batches at
/// their ceiling want are not among them: they would keep the others from their turn.
pub(super) async fn due_cohorts(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    after: i64,
    most: usize,
    now: Timestamp,
) -> Result<Vec<i64>> {
    let isolated = if gate.requests_day == day(now) { gate.isolation_today } else { 0 };
    if isolated >= DAILY_REQUESTS / ISOLATION_SHARE && provider == Provider::Ocean {
        return Ok(Vec::new());
    }
    let cohorts: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT r.queue_cohort FROM reveals r
         WHERE r.provider = $1 AND r.queue_cohort > $2
           AND EXISTS (
            SELECT 1 FROM batch_rows w
            JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
            LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = r.provider
            WHERE w.reveal_id = r.id AND w.ended IS NULL AND COALESCE(t.at_ceiling, 0) = 0)
         ORDER BY r.queue_cohort LIMIT $3",
        provider.as_str(),
        after,
        most as i64,
    )?;
    Ok(cohorts.into_iter().map(|(id,)| id).collect())
}

/// Who waits in a batch's lane; `walked` is told how far along the newcomers that went.
pub(super) async fn pick_lane(
    conn: &mut Conn,
    provider: Provider,
    lane: &Lane,
    most: usize,
    walked: &mut Vec<Walked>,
) -> Result<Vec<Picked>> {
    let mut picked: Vec<PickedRow> = Vec::new();
    if lane.others {
        picked = rows!(
            conn,
            "SELECT id, subject, attempts, repeat_of FROM reveals
             WHERE queue_lane = $1 AND provider = $2
             ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
            lane.batch,
            provider.as_str(),
            most as i64,
        )?;
    }
    if let Some(newcomers) = &lane.newcomers {
        // Merged by number: a batch whose ceiling lets it ask for some only keeps the order of its input.
        picked.extend(newcomers.pick(conn, provider, most).await?);
        picked.sort_unstable_by_key(|(id, ..)| *id);
        picked.truncate(most);
        // There are no more people in the lane than rows that wait.
        let full = picked.last().filter(|_| picked.len() == most && most < lane.waiting);
        walked.push(newcomers.walked(full.map(|(id, ..)| *id)));
    }
    Ok(picked.into_iter().map(Picked::from).collect())
}

/// A batch whose lane is empty although its rows wait shares their people with others; those that
/// stand in the lane of a batch at its ceiling come over.
pub(super) async fn take_from_full(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    batch: i64,
    most: usize,
    now: Timestamp,
) -> Result<()> {
    let full: i64 = value!(
        conn,
        "SELECT COUNT(*) FROM batch_totals WHERE provider = $1 AND at_ceiling = 1 AND queued > 0",
        provider.as_str(),
    )?;
    if full == 0 {
        return Ok(());
    }
    let shared: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT r.id FROM batch_rows w
         JOIN reveals r ON r.id = w.reveal_id AND r.provider = $2 AND r.state = 'queued' AND r.cohort IS NULL
         JOIN batch_totals t ON t.batch_id = r.lane AND t.provider = $2 AND t.at_ceiling = 1
         WHERE w.batch_id = $1 AND w.ended IS NULL LIMIT $3",
        batch,
        provider.as_str(),
        most as i64,
    )?;
    let shared: Vec<i64> = shared.into_iter().map(|(id,)| id).collect();
    find_lanes(conn, totals, &shared, now).await
}

/// Who must be looked up before a provider can be asked for them.
pub(super) async fn pick_to_look_up(
    conn: &mut Conn,
    lane: &Lane,
    most: usize,
) -> Result<Vec<Picked>> {
    let picked: Vec<PickedRow> = rows!(
        conn,
        "SELECT id, subject, attempts, repeat_of FROM reveals
         WHERE lookup_lane = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
        lane.batch,
        most as i64,
    )?;
    Ok(picked.into_iter().map(Picked::from).collect())
}

pub(super) async fn pick_cohort(
    conn: &mut Conn,
    provider: Provider,
    cohort: i64,
    most: usize,
) -> Result<Vec<Picked>> {
    let picked: Vec<PickedRow> = rows!(
        conn,
        "SELECT id, subject, attempts, repeat_of FROM reveals
         WHERE provider = $1 AND queue_cohort = $2
         ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
        provider.as_str(),
        cohort,
        most as i64,
    )?;
    Ok(picked.into_iter().map(Picked::from).collect())
}
