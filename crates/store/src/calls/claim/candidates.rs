//! Taking people out of the queue: those of one batch, and isolation groups.

use db::{Conn, record};
use jobs::{Credits, Provider, Timestamp};
use smallvec::SmallVec;

use crate::calls::claim::admission::DAILY_REQUESTS;
use crate::decode::optional_credits;
use crate::error::Result;
use crate::gates::gate::{Gate, day};
use crate::reveals::counters::Totals;
use crate::reveals::counters::write::newest;
use crate::reveals::ownership::assign_owners;
use crate::reveals::unclaimed_range::{CandidateRow, Cursor, UnclaimedRange};

/// The part of a day's requests that the search for bad ids may use.
pub(super) const ISOLATION_SHARE: i64 = 10;

/// A person taken from the queue.
pub(super) struct Candidate {
    pub(super) id: i64,
    pub(super) subject: String,
    pub(super) attempts: i64,
    pub(super) repeat_of: Option<i64>,
    /// The batches whose rows display the person, and how many rows each, in the order of the batches' ids. Known once a
    /// payer is looked for.
    pub(super) rows: SmallVec<[(i64, i64); 1]>,
    /// The batches whose rows display the charge so far.
    pub(super) charged: SmallVec<[i64; 1]>,
}

impl From<CandidateRow> for Candidate {
    fn from(row: CandidateRow) -> Self {
        Candidate {
            id: row.id,
            subject: row.subject,
            attempts: row.attempts,
            repeat_of: row.repeat_of,
            rows: SmallVec::new(),
            charged: SmallVec::new(),
        }
    }
}

impl Candidate {
    /// Counts another row of this batch that displays the person. A row that doesn't share the charge displays it.
    pub(super) fn count_row(&mut self, batch: i64, shared: bool) {
        if !shared {
            self.charged.push(batch);
        }
        match self.rows.binary_search_by_key(&batch, |(of, _)| *of) {
            Ok(place) => self.rows[place].1 += 1,
            Err(place) => self.rows.insert(place, (batch, 1)),
        }
    }

    /// The batches whose rows display the person.
    pub(super) fn batches(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|(batch, _)| *batch)
    }
}

/// A batch with people in the queue.
#[derive(Clone, Copy)]
pub(super) struct DueBatch {
    pub(super) batch: i64,
    unclaimed: Option<UnclaimedRange>,
    /// Whether the batch also owns queued people outside of its unclaimed range.
    pub(super) others: bool,
    /// The credits that the batch may still spend, if it has a ceiling.
    pub(super) left: Option<Credits>,
    pub(super) priority: i64,
    /// Rows whose people wait; other batches may own some of these people.
    pub(super) waiting: usize,
    /// How often the batch was served while other batches waited: the batch with the least is next.
    pub(super) served: i64,
}

impl DueBatch {
    /// Counts the people of the batch who can be asked for, up to `most`, without those who must be looked up first.
    pub(super) async fn ready(
        &self,
        conn: &mut Conn,
        provider: Provider,
        most: usize,
    ) -> Result<usize> {
        let mut ready = 0;
        if self.others {
            let others: i64 = conn
                .fetch_value(
                    "SELECT COUNT(*) FROM (
                     SELECT id FROM reveals WHERE queue_owner = $1 AND provider = $2 LIMIT $3) q",
                    &[&self.batch, &provider.as_str(), &(most as i64)],
                )
                .await?;
            ready = usize::try_from(others).unwrap_or(0);
        }
        if let Some(range) = self.unclaimed.filter(|_| ready < most) {
            ready += range.count(conn, provider, most - ready).await?;
        }
        Ok(ready)
    }
}

record! {
    struct DueBatchRow {
        batch: i64,
        priority: i64,
        queued: i64,
        served: i64,
        next: Option<i64>,
        last: Option<i64>,
        others: i64,
        credits_left: Option<Credits> = optional_credits,
        at_ceiling: i64,
        has_old_price: i64,
    }
}

/// The batches with people in the queue.
pub(super) struct Waiting {
    /// Those that can pay for one more person, in the order in which they are served.
    pub(super) due: Vec<DueBatch>,
    /// Whether the ceiling of any of them was checked with another price than a person has now.
    pub(super) has_old_price: bool,
}

/// The credits that a batch may still spend at a provider, if it has a ceiling there, from its `batch_totals t`.
macro_rules! credits_left {
    () => {
        "t.max_credits - t.credits_reserved - t.credits_spent - t.written_off"
    };
}

pub(super) use credits_left;

/// Reads the batches with people in the queue. `price` is the most that one more person may cost.
pub(super) async fn waiting_batches(
    conn: &mut Conn,
    provider: Provider,
    price: Credits,
) -> Result<Waiting> {
    // A left join begins with the batches. The other way round, all old versions of the counts would be read.
    let batches: Vec<DueBatchRow> = conn.fetch_all(
        concat!(
            "SELECT b.id AS batch, b.priority, t.queued, t.served, u.next, u.last,
                CAST(CASE WHEN EXISTS (SELECT 1 FROM reveals r WHERE r.queue_owner = b.id AND r.provider = t.provider)
                          THEN 1 ELSE 0 END AS BIGINT) AS others, ",
            credits_left!(),
            " AS credits_left, t.at_ceiling,
                CAST(CASE WHEN t.max_credits IS NOT NULL AND t.person_price <> $2 THEN 1 ELSE 0 END AS BIGINT) AS has_old_price
             FROM batches b LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $1
                AND t.epoch >= ",
            newest!(),
            " LEFT JOIN unclaimed_ranges u ON u.batch_id = b.id AND u.provider = $1
             WHERE b.finished_at IS NULL AND COALESCE(t.queued, 0) > 0
               AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
             ORDER BY b.priority DESC, t.served, b.id",
        ),
        &[&provider.as_str(), &price.thousandths()],
    )
    .await?;
    let has_old_price = batches.iter().any(|row| row.has_old_price == 1);
    let able = batches.into_iter().filter(|row| row.at_ceiling == 0);
    let due = |row: DueBatchRow| DueBatch {
        batch: row.batch,
        unclaimed: row.next.zip(row.last).map(|(next, last)| UnclaimedRange {
            batch: row.batch,
            next,
            last,
        }),
        others: row.others == 1,
        left: row.credits_left,
        priority: row.priority,
        waiting: usize::try_from(row.queued).unwrap_or(0),
        served: row.served,
    };
    Ok(Waiting { due: able.map(due).collect(), has_old_price })
}

/// The highest number of times that any of the batches was served.
pub(super) fn last_served(batches: &[DueBatch]) -> i64 {
    batches.iter().map(|due| due.served).max().unwrap_or(0)
}

/// Returns up to `most` isolation groups with numbers above `after`. Groups wanted only by batches at their ceiling are
/// left out: they would keep the other groups waiting.
pub(super) async fn isolation_groups(
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
    let groups: Vec<(i64,)> = conn.fetch_all(
        "SELECT DISTINCT r.queue_group FROM reveals r
         WHERE r.provider = $1 AND r.queue_group > $2
           AND EXISTS (
            SELECT 1 FROM batch_rows w
            JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
            LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = r.provider
            WHERE w.reveal_id = r.id AND w.ended IS NULL AND COALESCE(t.at_ceiling, 0) = 0)
         ORDER BY r.queue_group LIMIT $3",
        &[&provider.as_str(), &after, &(most as i64)],
    )
    .await?;
    Ok(groups.into_iter().map(|(id,)| id).collect())
}

/// Takes queued people of a batch out of the queue, and notes in `cursors` how far it read the batch's unclaimed range.
pub(super) async fn take_from_batch(
    conn: &mut Conn,
    provider: Provider,
    due: &DueBatch,
    most: usize,
    cursors: &mut Vec<Cursor>,
) -> Result<Vec<Candidate>> {
    let mut taken: Vec<CandidateRow> = Vec::new();
    if due.others {
        taken = conn
            .fetch_all(
                "SELECT id, subject, attempts, repeat_of FROM reveals
                 WHERE queue_owner = $1 AND provider = $2
                 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
                &[&due.batch, &provider.as_str(), &(most as i64)],
            )
            .await?;
    }
    if let Some(range) = &due.unclaimed {
        // Merged by id, so that a batch whose ceiling lets it ask for some people only keeps the order of its input.
        taken.extend(range.take(conn, provider, most).await?);
        taken.sort_unstable_by_key(|row| row.id);
        taken.truncate(most);
        // The batch owns no more people than it has rows that wait.
        let full = taken.last().filter(|_| taken.len() == most && most < due.waiting);
        cursors.push(range.cursor(full.map(|row| row.id)));
    }
    Ok(taken.into_iter().map(Candidate::from).collect())
}

/// Takes over people from batches at their ceiling, for a batch that owns none although its rows wait.
pub(super) async fn take_from_full(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    batch: i64,
    most: usize,
    now: Timestamp,
) -> Result<()> {
    let full: i64 = conn.fetch_value(
        "SELECT COUNT(*) FROM batch_totals WHERE provider = $1 AND at_ceiling = 1 AND queued > 0",
        &[&provider.as_str()],
    )
    .await?;
    if full == 0 {
        return Ok(());
    }
    let shared: Vec<(i64,)> = conn.fetch_all(
        "SELECT DISTINCT r.id FROM batch_rows w
         JOIN reveals r ON r.id = w.reveal_id AND r.provider = $2 AND r.state = 'queued' AND r.isolation_group IS NULL
         JOIN batch_totals t ON t.batch_id = r.owner AND t.provider = $2 AND t.at_ceiling = 1
         WHERE w.batch_id = $1 AND w.ended IS NULL LIMIT $3",
        &[&batch, &provider.as_str(), &(most as i64)],
    )
    .await?;
    let shared: Vec<i64> = shared.into_iter().map(|(id,)| id).collect();
    assign_owners(conn, totals, &shared, now).await
}

/// Takes people of a batch who must be looked up before a provider can be asked for them.
pub(super) async fn take_to_look_up(
    conn: &mut Conn,
    due: &DueBatch,
    most: usize,
) -> Result<Vec<Candidate>> {
    let taken: Vec<CandidateRow> = conn
        .fetch_all(
            "SELECT id, subject, attempts, repeat_of FROM reveals
             WHERE lookup_owner = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
            &[&due.batch, &(most as i64)],
        )
        .await?;
    Ok(taken.into_iter().map(Candidate::from).collect())
}

pub(super) async fn take_group(
    conn: &mut Conn,
    provider: Provider,
    group: i64,
    most: usize,
) -> Result<Vec<Candidate>> {
    let taken: Vec<CandidateRow> = conn
        .fetch_all(
            "SELECT id, subject, attempts, repeat_of FROM reveals
             WHERE provider = $1 AND queue_group = $2
             ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
            &[&provider.as_str(), &group, &(most as i64)],
        )
        .await?;
    Ok(taken.into_iter().map(Candidate::from).collect())
}
