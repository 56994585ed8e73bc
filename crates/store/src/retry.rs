//! Asking once more for rows that ended without a result. Whoever is asked again is a new generation
//! of the person: rows of other batches that show the old one stay as they were, and calls that were
//! made keep their members for good.

/// Polling an earlier request before its people are asked again.
pub(crate) mod last_poll;
/// Who is asked again, and as which generation.
mod people;

use std::collections::{BTreeMap, HashMap, HashSet};

use jobs::{Provider, RevealState, Timestamp};
use serde::Serialize;

use crate::audit::{Action, Entry};
use crate::conn::{Conn, exec, rows};
use crate::resolve::Numbers;
use crate::status::BatchRef;
use crate::totals::{Totals, json};
use crate::transition::parse_provider;
use crate::{Result, Store, Topic};
use people::People;

/// Rows that are looked at by one transaction.
const ROWS_AT_ONCE: i64 = 1_000;
/// Which rows are to be asked for again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryStates {
    /// Refused for good; nothing was paid.
    pub failed: bool,
    /// Perhaps paid, and no result came.
    pub expired: bool,
    /// Cancelled before they were sent.
    pub cancelled: bool,
}

/// What a retry came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Rows that are not finished any more, or show what became known meanwhile.
    pub rows: i64,
    /// People whose earlier request is polled first.
    pub polled_first: i64,
}

/// People who may have been paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PayAgain {
    /// How many.
    pub people: i64,
    /// Of these, whose earlier request is polled once more before they are asked again.
    pub polled_first: i64,
}

impl Store {
    /// How many people of a batch would perhaps be paid for twice if its expired rows were retried.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn pay_again(&self, batch: &BatchRef) -> Result<BTreeMap<Provider, PayAgain>> {
        let mut conn = self.read().await?;
        let found: Vec<(String, i64, i64)> = rows!(
            conn,
            "SELECT r.provider, COUNT(DISTINCT r.id),
                    COUNT(DISTINCT CASE WHEN c.tracking_id IS NOT NULL THEN r.id END)
             FROM batch_rows w JOIN reveals r ON r.id = w.reveal_id AND r.state = 'expired'
             LEFT JOIN calls c ON c.id = r.call_id
             WHERE w.batch_id = $1 AND w.ended IS NULL GROUP BY r.provider",
            batch.id,
        )?;
        found
            .into_iter()
            .map(|(provider, people, polled_first)| {
                Ok((parse_provider(&provider, batch.id)?, PayAgain { people, polled_first }))
            })
            .collect()
    }

    /// Asks once more for a batch's rows in `states`.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn retry(&self, batch: &BatchRef, states: RetryStates) -> Result<Retried> {
        let (id, batch_id, now) = (batch.id, batch.batch_id, self.now());
        let (mut after, mut retried) = (0, Retried::default());
        while let Some((last, chosen)) = self.next_chosen(id, after, states).await? {
            after = last;
            if chosen.is_empty() {
                continue;
            }
            if retried.rows == 0 {
                self.take_up_again(id).await?;
            }
            let first = (retried.rows == 0).then(|| self.actor()).flatten();
            let chunk = self
                .write(move |conn| {
                    Box::pin(async move {
                        let chunk = retry_chunk(conn, id, &chosen, states, now).await?;
                        if chunk.rows > 0 {
                            let entry = Entry::of(Action::Retry).batch(batch_id);
                            entry.details(states.in_words()).write(conn, first, now).await?;
                        }
                        Ok(chunk)
                    })
                })
                .await?;
            retried.rows += chunk.rows;
            retried.polled_first += chunk.polled_first;
        }
        Ok(retried)
    }

    /// Of a cancelled batch nobody is asked, so it is one no longer.
    async fn take_up_again(&self, batch: i64) -> Result<()> {
        self.write(move |conn| {
            Box::pin(async move {
                exec!(
                    conn,
                    "UPDATE batches SET cancelled_at = NULL WHERE id = $1 AND cancelled_at IS NOT NULL",
                    batch,
                )?;
                Ok(())
            })
        })
        .await
    }

    /// The next rows of a batch: the number of the last, and those among them that are chosen.
    async fn next_chosen(
        &self,
        batch: i64,
        after: i64,
        states: RetryStates,
    ) -> Result<Option<(i64, Vec<i64>)>> {
        let mut conn = self.read().await?;
        let found: Vec<(i64, Option<String>, Option<String>)> = rows!(
            conn,
            "SELECT w.row_number, w.ended, r.state
             FROM batch_rows w LEFT JOIN reveals r ON r.id = w.reveal_id
             WHERE w.batch_id = $1 AND w.row_number > $2 ORDER BY w.row_number LIMIT $3",
            batch,
            after,
            ROWS_AT_ONCE,
        )?;
        let Some(&(last, ..)) = found.last() else { return Ok(None) };
        let chosen = found
            .into_iter()
            .filter(|(_, ended, state)| states.choose(ended.as_deref(), state.as_deref()))
            .map(|(number, ..)| number)
            .collect();
        Ok(Some((last, chosen)))
    }
}

impl RetryStates {
    fn choose(self, ended: Option<&str>, state: Option<&str>) -> bool {
        match (ended, state) {
            (Some(ended), _) => self.cancelled && ended == "cancelled",
            (None, Some("failed")) => self.failed,
            (None, Some("expired")) => self.expired,
            _ => false,
        }
    }

    /// For the audit log.
    fn in_words(self) -> String {
        let states =
            [(self.failed, "failed"), (self.expired, "expired"), (self.cancelled, "cancelled")];
        let chosen: Vec<&str> =
            states.into_iter().filter(|(chosen, _)| *chosen).map(|(_, state)| state).collect();
        format!("states={}", chosen.join(","))
    }

    fn asks_again(self, state: RevealState) -> bool {
        match state {
            RevealState::Failed => self.failed,
            RevealState::Expired => self.expired,
            _ => false,
        }
    }
}

/// A row on its way: its steps, and what it shows.
struct Row {
    number: i64,
    ended: bool,
    shown: i64,
    steps: Vec<i64>,
}

async fn retry_chunk(
    conn: &mut Conn,
    batch: i64,
    numbers_of_rows: &[i64],
    states: RetryStates,
    now: Timestamp,
) -> Result<Retried> {
    let mut numbers = Numbers::lock(conn).await?;
    let rows = read_rows(conn, batch, numbers_of_rows).await?;
    let mut people = People::read(conn, batch, &rows, states).await?;
    let mut changes = Vec::new();
    let mut totals = Totals::default();
    let mut payers = HashSet::new();
    for row in &rows {
        // What was chosen without a lock may have been answered meanwhile.
        let Some(was) = people.get(row.shown).cloned() else { continue };
        if !row.ended && !states.asks_again(was.state) {
            continue;
        }
        let steps: Vec<i64> =
            row.steps.iter().map(|&step| people.again(step, &mut numbers)).collect();
        let (shown, kept) = people.shown(&steps).unwrap_or((row.shown, None));
        let Some(now_shown) = people.get(shown) else { continue };
        let before = if row.ended { RevealState::Cancelled } else { was.state };
        totals.moved(batch, (was.provider, before), (now_shown.provider, now_shown.state), 1);
        let pays = now_shown.new || now_shown.state == RevealState::Idle;
        let shared = i64::from(!(pays && payers.insert(shown)));
        changes.push(RowChange { batch, number: row.number, shown, kept, shared, steps });
    }
    numbers.save(conn).await?;
    people.write_new(conn, now).await?;
    write_rows(conn, &changes).await?;
    let polled_first = people.start(conn, &mut totals, &changes, now).await?;
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(Retried { rows: i64::try_from(changes.len()).unwrap_or(i64::MAX), polled_first })
}

async fn read_rows(conn: &mut Conn, batch: i64, numbers: &[i64]) -> Result<Vec<Row>> {
    let found: Vec<(i64, Option<String>, i64)> = rows!(
        conn,
        "SELECT w.row_number, w.ended, w.reveal_id FROM IDS($1) AS e
         JOIN batch_rows w ON w.batch_id = $2 AND w.row_number = CAST(e.value AS BIGINT)
         WHERE w.reveal_id IS NOT NULL ORDER BY w.row_number",
        json(&numbers),
        batch,
    )?;
    let steps: Vec<(i64, i64)> = rows!(
        conn,
        "SELECT f.row_number, f.reveal_id FROM IDS($1) AS e
         JOIN row_waterfall f ON f.batch_id = $2 AND f.row_number = CAST(e.value AS BIGINT)
         ORDER BY f.row_number, f.step",
        json(&numbers),
        batch,
    )?;
    let mut of_row: HashMap<i64, Vec<i64>> = HashMap::new();
    for (number, reveal) in steps {
        of_row.entry(number).or_default().push(reveal);
    }
    Ok(found
        .into_iter()
        .map(|(number, ended, shown)| {
            let steps = of_row.remove(&number).unwrap_or_else(|| vec![shown]);
            Row { number, ended: ended.is_some(), shown, steps }
        })
        .collect())
}

/// What a row shows from now on.
#[derive(Serialize)]
struct RowChange {
    batch: i64,
    number: i64,
    shown: i64,
    kept: Option<i64>,
    shared: i64,
    #[serde(skip)]
    steps: Vec<i64>,
}

async fn write_rows(conn: &mut Conn, changes: &[RowChange]) -> Result<()> {
    #[derive(Serialize)]
    struct Step {
        batch: i64,
        number: i64,
        step: usize,
        reveal: i64,
    }
    exec!(
        conn,
        "UPDATE batch_rows SET ended = NULL, ended_at = NULL,
            reveal_id = CAST(e.value->>'shown' AS BIGINT), kept_id = CAST(e.value->>'kept' AS BIGINT), shared = CAST(e.value->>'shared' AS BIGINT)
         FROM EACH($1) AS e
         WHERE batch_id = CAST(e.value->>'batch' AS BIGINT)
           AND row_number = CAST(e.value->>'number' AS BIGINT)",
        json(&changes),
    )?;
    let steps: Vec<Step> = changes
        .iter()
        .flat_map(|change| {
            let steps = change.steps.iter().enumerate();
            steps.map(|(step, &reveal)| Step {
                batch: change.batch,
                number: change.number,
                step,
                reveal,
            })
        })
        .collect();
    exec!(
        conn,
        "UPDATE row_waterfall SET reveal_id = CAST(e.value->>'reveal' AS BIGINT)
         FROM EACH($1) AS e
         WHERE batch_id = CAST(e.value->>'batch' AS BIGINT)
           AND row_number = CAST(e.value->>'number' AS BIGINT)
           AND step = CAST(e.value->>'step' AS BIGINT)",
        json(&steps),
    )?;
    Ok(())
}
