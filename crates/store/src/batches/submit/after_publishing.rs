//! What a published batch changes for others, where it is too much for the transaction that publishes it: people give way,
//! and those whom it shares with slower batches have their turn with it.

use db::{Conn, exec, rows};
use jobs::Timestamp;

use crate::batches::submit::merge::merge_some;
use crate::error::Result;
use crate::people::resolve::Numbers;
use crate::reveals::counters::Totals;
use crate::reveals::ownership::find_lanes;
use crate::store::Store;
use crate::topic::Topic;

/// Rows that are looked at by one transaction.
const ROWS_AT_ONCE: i64 = 1_000;

impl Store {
    /// Goes on where publishing was cut short; cheap where there is nothing to do.
    pub(crate) async fn sweep_turns(&self) -> Result<()> {
        let due: Vec<(i64,)> = {
            let mut conn = self.db.read().await?;
            rows!(
                conn,
                "SELECT id FROM batches WHERE turns_due = 1 AND published_at IS NOT NULL ORDER BY id"
            )?
        };
        for (batch,) in due {
            self.see_to_turns(batch).await?;
        }
        Ok(())
    }

    /// Gives those whom a published batch shares the turn in which they are asked soonest, a few at a time.
    pub(crate) async fn see_to_turns(&self, batch: i64) -> Result<()> {
        let due: Vec<(i64,)> = {
            let mut conn = self.db.read().await?;
            rows!(conn, "SELECT id FROM batches WHERE id = $1 AND turns_due = 1", batch)?
        };
        if due.is_empty() {
            return Ok(());
        }
        let (mut after, now) = (0, self.now());
        while self.db.write(move |conn| Box::pin(merge_some(conn, batch, now))).await? {}
        while let Some((last, waiting)) = self.next_shared(batch, after).await? {
            after = last;
            if !waiting.is_empty() {
                self.db
                    .write(move |conn| {
                        Box::pin(async move { give_turns(conn, &waiting, now).await })
                    })
                    .await?;
            }
        }
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    exec!(conn, "UPDATE batches SET turns_due = 0 WHERE id = $1", batch)?;
                    Ok(())
                })
            })
            .await
    }

    /// The next rows of a batch: the number of the last, and who waits among them in another batch's turn.
    async fn next_shared(&self, batch: i64, after: i64) -> Result<Option<(i64, Vec<i64>)>> {
        let mut conn = self.db.read().await?;
        let found: Vec<(i64, Option<i64>)> = rows!(
            conn,
            "SELECT w.row_number, r.id FROM batch_rows w
             LEFT JOIN reveals r ON r.id = w.reveal_id AND r.state IN ('queued', 'retrying') AND r.lane <> $1
             WHERE w.batch_id = $1 AND w.row_number > $2 ORDER BY w.row_number LIMIT $3",
            batch,
            after,
            ROWS_AT_ONCE,
        )?;
        let Some(&(last, _)) = found.last() else { return Ok(None) };
        Ok(Some((last, found.into_iter().filter_map(|(_, reveal)| reveal).collect())))
    }
}

async fn give_turns(conn: &mut Conn, waiting: &[i64], now: Timestamp) -> Result<()> {
    Numbers::lock(conn).await?;
    let mut totals = Totals::default();
    find_lanes(conn, &mut totals, waiting, now).await?;
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(())
}
