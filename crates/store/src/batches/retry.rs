//! Asking again for rows that ended without a result. A person who is asked again gets a new generation. Rows of other
//! batches that show the old generation stay unchanged, and earlier calls keep their members.

mod people;
pub(crate) mod rows;

use std::collections::{BTreeMap, HashSet};

use db::{Conn, record};
use jobs::{Provider, RevealState, Timestamp};

use crate::audit::{Action, Entry};
use crate::batches::Batches;
use crate::batches::retry::people::People;
use crate::batches::retry::rows::{RetryStates, RowChange, read_rows, write_changes};
use crate::batches::row_chunks::{READ_AT_ONCE, in_chunks};
use crate::decode::{BatchRef, parse_provider};
use crate::error::Result;
use crate::people::resolve::RevealIds;
use crate::reveals::counters::Totals;
use crate::topic::Topic;

/// The result of a retry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Rows that are no longer finished, or that show a result that became known meanwhile.
    pub rows: i64,
    /// People whose earlier request is polled first.
    pub polled_first: i64,
}

/// People who may have been paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PayAgain {
    /// The number of these people.
    pub people: i64,
    /// Those of them whose earlier request is polled once more before they are asked again.
    pub polled_first: i64,
}

record! {
    /// A provider whose requests for people of a batch expired, and how many people these are.
    struct ExpiredRow {
        provider: String,
        people: i64,
        polled_first: i64,
    }
}

record! {
    /// A row of a batch: how it ended, if it did, and the reveal that it shows, with its state.
    struct StateRow {
        row_number: i64,
        ended: Option<String>,
        reveal_id: Option<i64>,
        state: Option<String>,
    }
}

impl Batches<'_> {
    /// Returns how many people of a batch might be paid for twice if its expired rows were retried.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn pay_again(self, batch: &BatchRef) -> Result<BTreeMap<Provider, PayAgain>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<ExpiredRow> = conn
            .fetch_all(
                "SELECT r.provider, COUNT(DISTINCT r.id) AS people,
                        COUNT(DISTINCT CASE WHEN c.tracking_id IS NOT NULL THEN r.id END) AS polled_first
                 FROM batch_rows w JOIN reveals r ON r.id = w.reveal_id AND r.state = 'expired'
                 LEFT JOIN calls c ON c.id = r.call_id
                 WHERE w.batch_id = $1 AND w.ended IS NULL GROUP BY r.provider",
                &[&batch.id],
            )
            .await?;
        found
            .into_iter()
            .map(|row| {
                let again = PayAgain { people: row.people, polled_first: row.polled_first };
                Ok((parse_provider(&row.provider, batch.id)?, again))
            })
            .collect()
    }

    /// Asks again for a batch's rows in `states`.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn retry(self, batch: &BatchRef, states: RetryStates) -> Result<Retried> {
        let (id, batch_id, now) = (batch.id, batch.batch_id, self.store.now());
        let (mut after, mut retried) = (0, Retried::default());
        while let Some((last, chosen)) = self.next_chosen(id, after, states).await? {
            after = last;
            for rows in in_chunks(chosen) {
                if retried.rows == 0 {
                    self.take_up_again(id).await?;
                }
                let first = (retried.rows == 0).then(|| self.store.actor()).flatten();
                let numbers: Vec<i64> = rows.into_iter().map(|(_, number)| number).collect();
                let chunk = self
                    .store
                    .db
                    .write(move |conn| {
                        Box::pin(async move {
                            let chunk = retry_chunk(conn, id, &numbers, states, now).await?;
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
        }
        Ok(retried)
    }

    /// Revokes a cancel, since a cancelled batch asks for no person.
    async fn take_up_again(self, batch: i64) -> Result<()> {
        self.store.db.write(move |conn| {
            Box::pin(async move {
                conn.execute(
                    "UPDATE batches SET cancelled_at = NULL WHERE id = $1 AND cancelled_at IS NOT NULL",
                    &[&batch],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Returns the next rows of a batch: the number of the last row, and the chosen rows: the reveal that each shows, and its
    /// number.
    async fn next_chosen(
        self,
        batch: i64,
        after: i64,
        states: RetryStates,
    ) -> Result<Option<(i64, Vec<(Option<i64>, i64)>)>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<StateRow> = conn
            .fetch_all(
                "SELECT w.row_number, w.ended, w.reveal_id, r.state
                 FROM batch_rows w LEFT JOIN reveals r ON r.id = w.reveal_id
                 WHERE w.batch_id = $1 AND w.row_number > $2 ORDER BY w.row_number LIMIT $3",
                &[&batch, &after, &READ_AT_ONCE],
            )
            .await?;
        let Some(last) = found.last().map(|row| row.row_number) else { return Ok(None) };
        let chosen = found
            .into_iter()
            .filter(|row| states.choose(row.ended.as_deref(), row.state.as_deref()))
            .map(|row| (row.reveal_id, row.row_number))
            .collect();
        Ok(Some((last, chosen)))
    }
}

async fn retry_chunk(
    conn: &mut Conn,
    batch: i64,
    numbers_of_rows: &[i64],
    states: RetryStates,
    now: Timestamp,
) -> Result<Retried> {
    let mut ids = RevealIds::lock(conn).await?;
    let rows = read_rows(conn, batch, numbers_of_rows).await?;
    let mut people = People::read(conn, batch, &rows, states).await?;
    let mut changes = Vec::new();
    let mut totals = Totals::default();
    let mut payers = HashSet::new();
    for row in &rows {
        // The row was chosen without a lock and may have been answered meanwhile.
        let Some(was) = people.get(row.shown).cloned() else { continue };
        if !row.ended && !states.asks_again(was.state) {
            continue;
        }
        let steps: Vec<i64> = row.steps.iter().map(|&step| people.again(step, &mut ids)).collect();
        let (shown, kept) = people.shown(&steps).unwrap_or((row.shown, None));
        let Some(now_shown) = people.get(shown) else { continue };
        let before = if row.ended { RevealState::Cancelled } else { was.state };
        totals.moved(batch, (was.provider, before), (now_shown.provider, now_shown.state), 1);
        let pays = now_shown.new || now_shown.state == RevealState::Idle;
        let shared = i64::from(!(pays && payers.insert(shown)));
        changes.push(RowChange { batch, number: row.number, shown, kept, shared, steps });
    }
    ids.save(conn).await?;
    people.write_new(conn, now).await?;
    write_changes(conn, &changes).await?;
    let polled_first = people.start(conn, &mut totals, &changes, now).await?;
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(Retried { rows: i64::try_from(changes.len()).unwrap_or(i64::MAX), polled_first })
}
