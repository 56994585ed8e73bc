//! Cancelling a batch. Once the batch is marked, no further request is sent for it; its rows are ended chunk by chunk.
//! Results of requests that were sent before are still received, kept and shown.

use db::{Conn, record};
use jobs::Timestamp;

use crate::audit::{Action, Entry};
use crate::batches::Batches;
use crate::batches::row_chunks::{READ_AT_ONCE, in_chunks};
use crate::decode::BatchRef;
use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::ownership::assign_owners;
use crate::topic::Topic;

/// The result of a cancel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Rows that ended as `cancelled` now.
    pub rows: i64,
    /// Rows whose people were asked for already; their results are still received.
    pub out: i64,
}

record! {
    /// A row of a batch, with the reveal that it shows unless the row ended, and that reveal's state.
    struct ShownRow {
        row_number: i64,
        reveal_id: Option<i64>,
        state: Option<String>,
    }
}

impl Batches<'_> {
    /// Cancels a batch. Another call resumes a cancel that was cut short.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn cancel(self, batch: &BatchRef) -> Result<Cancelled> {
        let (id, batch_id) = (batch.id, batch.batch_id);
        let (actor, now) = (self.store.actor(), self.store.now());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let cancelled = conn.execute(
                    "UPDATE batches SET cancelled_at = $2 WHERE id = $1 AND cancelled_at IS NULL",
                    &[&id, &now.0],
                )
                .await?;
                    if cancelled > 0 {
                        Entry::of(Action::Cancel).batch(batch_id).write(conn, actor, now).await?;
                    }
                    conn.announce(Topic::Queue);
                    Ok(())
                })
            })
            .await?;
        let rows = self.end_waiting_rows(id).await?;
        let mut conn = self.store.db.read().await?;
        let out: Option<(i64,)> = conn
            .fetch_optional(
                "SELECT CAST(COALESCE(SUM(asked), 0) AS BIGINT) FROM batch_totals
                 WHERE batch_id = $1",
                &[&id],
            )
            .await?;
        Ok(Cancelled { rows, out: out.map_or(0, |(out,)| out) })
    }

    /// Ends the rows left over by cancels that were cut short, and returns their number. Cheap if there are none.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sweep_cancelled_batches(self) -> Result<i64> {
        let open: Vec<(i64,)> = {
            let mut conn = self.store.db.read().await?;
            conn.fetch_all(
                "SELECT DISTINCT b.id FROM batches b JOIN batch_totals t ON t.batch_id = b.id
                 WHERE b.cancelled_at IS NOT NULL AND b.published_at IS NOT NULL
                   AND b.finished_at IS NULL AND t.queued + t.retrying > 0
                 ORDER BY b.id",
                &[],
            )
            .await?
        };
        let mut ended = 0;
        for (id,) in open {
            ended += self.end_waiting_rows(id).await?;
        }
        Ok(ended)
    }

    async fn end_waiting_rows(self, batch: i64) -> Result<i64> {
        let now = self.store.now();
        let (mut after, mut ended) = (0, 0);
        while let Some((last, waiting)) = self.next_waiting(batch, after).await? {
            after = last;
            for people in in_chunks(waiting) {
                ended += self
                    .store
                    .db
                    .write(move |conn| {
                        Box::pin(async move { end_chunk(conn, batch, &people, now).await })
                    })
                    .await?;
            }
        }
        Ok(ended)
    }

    /// Returns the next rows of a batch: the number of the last row, and the reveals of these rows that wait. They are read
    /// without a lock, and checked again under a lock before a row ends.
    async fn next_waiting(self, batch: i64, after: i64) -> Result<Option<(i64, Vec<i64>)>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<ShownRow> = conn
            .fetch_all(
                "SELECT w.row_number, CASE WHEN w.ended IS NULL THEN r.id END AS reveal_id, r.state
                 FROM batch_rows w LEFT JOIN reveals r ON r.id = w.reveal_id
                 WHERE w.batch_id = $1 AND w.row_number > $2 ORDER BY w.row_number LIMIT $3",
                &[&batch, &after, &READ_AT_ONCE],
            )
            .await?;
        let Some(last) = found.last().map(|row| row.row_number) else { return Ok(None) };
        let waiting = found
            .into_iter()
            .filter(|row| matches!(row.state.as_deref(), Some("queued" | "retrying" | "idle")))
            .filter_map(|row| row.reveal_id)
            .collect();
        Ok(Some((last, waiting)))
    }
}

/// Ends the batch's rows that show a waiting reveal among `people`, and assigns these reveals to other batches that want
/// them. Returns how many rows ended.
async fn end_chunk(conn: &mut Conn, batch: i64, people: &[i64], now: Timestamp) -> Result<i64> {
    let mut totals = Totals::default();
    assign_owners(conn, &mut totals, people, now).await?;
    let ended = totals.cancelled(batch);
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(ended)
}
