//! Cancelling a batch: nothing further of it is sent from the moment it is marked; its rows are ended
//! chunk by chunk. What is out is still received, kept and shown.

use std::collections::{BTreeMap, HashMap};

use jobs::{Provider, RevealState, Timestamp};

use crate::conn::{Conn, exec, row, rows};
use crate::lanes::find_lanes;
use crate::status::BatchRef;
use crate::totals::{Totals, json};
use crate::transition::{parse_provider, parse_state};
use crate::{Result, Store, Topic};

/// Rows that are looked at by one transaction.
const ROWS_AT_ONCE: i64 = 1_000;

/// What cancelling came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Rows that ended as `cancelled` now.
    pub rows: i64,
    /// Rows whose people were asked for already; their results are still received.
    pub out: i64,
}

impl Store {
    /// Cancels a batch. Doing it again carries on where an earlier time was cut short.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn cancel(&self, batch: &BatchRef) -> Result<Cancelled> {
        let (id, now) = (batch.id, self.now());
        self.write(move |conn| {
            Box::pin(async move {
                exec!(
                    conn,
                    "UPDATE batches SET cancelled_at = $2 WHERE id = $1 AND cancelled_at IS NULL",
                    id,
                    now.0,
                )?;
                conn.announce(Topic::Queue);
                Ok(())
            })
        })
        .await?;
        let rows = self.end_waiting_rows(id).await?;
        let mut conn = self.read().await?;
        let out: Option<(i64,)> = row!(
            conn,
            "SELECT CAST(COALESCE(SUM(asked), 0) AS BIGINT) FROM batch_totals
             WHERE batch_id = $1",
            id,
        )?;
        Ok(Cancelled { rows, out: out.map_or(0, |(out,)| out) })
    }

    /// Ends the rows that a cancel which was cut short left; returns how many. Cheap where there are
    /// none.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sweep_cancelled_batches(&self) -> Result<i64> {
        let open: Vec<(i64,)> = {
            let mut conn = self.read().await?;
            rows!(
                conn,
                "SELECT DISTINCT b.id FROM batches b JOIN batch_totals t ON t.batch_id = b.id
                 WHERE b.cancelled_at IS NOT NULL AND b.published_at IS NOT NULL
                   AND b.unfinished > 0 AND t.queued + t.retrying > 0
                 ORDER BY b.id",
            )?
        };
        let mut ended = 0;
        for (id,) in open {
            ended += self.end_waiting_rows(id).await?;
        }
        Ok(ended)
    }

    async fn end_waiting_rows(&self, batch: i64) -> Result<i64> {
        let now = self.now();
        let (mut after, mut ended) = (0, 0);
        while let Some((last, waiting)) = self.next_waiting(batch, after).await? {
            after = last;
            if waiting.is_empty() {
                continue;
            }
            ended += self
                .write(move |conn| {
                    Box::pin(async move { end_chunk(conn, batch, &waiting, now).await })
                })
                .await?;
        }
        Ok(ended)
    }

    /// The next rows of a batch: the number of the last, and whose people wait for their turn. Read
    /// without a lock; what ends is looked at once more under one.
    async fn next_waiting(&self, batch: i64, after: i64) -> Result<Option<(i64, Vec<i64>)>> {
        let mut conn = self.read().await?;
        let found: Vec<(i64, Option<i64>, Option<String>)> = rows!(
            conn,
            "SELECT w.row_number, CASE WHEN w.ended IS NULL THEN r.id END, r.state
             FROM batch_rows w LEFT JOIN reveals r ON r.id = w.reveal_id
             WHERE w.batch_id = $1 AND w.row_number > $2 ORDER BY w.row_number LIMIT $3",
            batch,
            after,
            ROWS_AT_ONCE,
        )?;
        let Some(&(last, ..)) = found.last() else { return Ok(None) };
        let waiting = found
            .into_iter()
            .filter(|(_, _, state)| {
                matches!(state.as_deref(), Some("queued" | "retrying" | "idle"))
            })
            .filter_map(|(_, reveal, _)| reveal)
            .collect();
        Ok(Some((last, waiting)))
    }
}

/// Ends the batch's rows that show `people`, and hands these on to others who want them.
async fn end_chunk(conn: &mut Conn, batch: i64, people: &[i64], now: Timestamp) -> Result<i64> {
    let locked: Vec<(i64, String, String)> = rows!(
        conn,
        "SELECT id, provider, state FROM reveals
         WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)
           AND state IN ('queued', 'retrying', 'idle') ORDER BY id FOR UPDATE",
        json(&people),
    )?;
    let mut states: HashMap<i64, (Provider, RevealState)> = HashMap::new();
    for (id, provider, state) in locked {
        states.insert(id, (parse_provider(&provider, id)?, parse_state(&state, id)?));
    }
    let people: Vec<i64> = states.keys().copied().collect();
    // The plus keeps SQLite's planner from reading the whole batch: its people have an index.
    let ended: Vec<(i64,)> = rows!(
        conn,
        "UPDATE batch_rows SET ended = 'cancelled', ended_at = $3
         WHERE +batch_id = $2 AND ended IS NULL
           AND reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)
         RETURNING reveal_id",
        json(&people),
        batch,
        now.0,
    )?;
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for (reveal,) in &ended {
        *counts.entry(*reveal).or_default() += 1;
    }
    let mut totals = Totals::default();
    for (reveal, n) in counts {
        let Some(&(provider, state)) = states.get(&reveal) else { continue };
        totals.moved(batch, (provider, state), (provider, RevealState::Cancelled), n);
    }
    find_lanes(conn, &mut totals, &people, now).await?;
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(i64::try_from(ended.len()).unwrap_or(i64::MAX))
}
