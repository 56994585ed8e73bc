//! Follow-up work of publishing a batch that is too much for the publishing transaction. Reveals that turned out to be one
//! person are merged, and people shared with slower batches are assigned to the new batch.

use db::Conn;
use jobs::Timestamp;

use crate::batches::Batches;
use crate::batches::row_chunks::{READ_AT_ONCE, in_chunks};
use crate::batches::submit::merge::merge_some;
use crate::error::Result;
use crate::people::resolve::RevealIds;
use crate::reveals::counters::Totals;
use crate::reveals::ownership::assign_owners;
use crate::topic::Topic;

impl Batches<'_> {
    /// Resumes assignments of owners that were interrupted. Cheap if there are none.
    pub(crate) async fn sweep_owners_due(self) -> Result<()> {
        let due: Vec<(i64,)> = {
            let mut conn = self.store.db.read().await?;
            conn.fetch_all(
                "SELECT id FROM batches WHERE owners_due = 1 AND published_at IS NOT NULL ORDER BY id",
                &[],
            )
            .await?
        };
        for (batch,) in due {
            self.assign_due_owners(batch).await?;
        }
        Ok(())
    }

    /// Assigns the people of a published batch to the batches that are served soonest, a few at a time.
    pub(crate) async fn assign_due_owners(self, batch: i64) -> Result<()> {
        let due: Vec<(i64,)> = {
            let mut conn = self.store.db.read().await?;
            conn.fetch_all("SELECT id FROM batches WHERE id = $1 AND owners_due = 1", &[&batch])
                .await?
        };
        if due.is_empty() {
            return Ok(());
        }
        let (mut after, now) = (0, self.store.now());
        while self.store.db.write(move |conn| Box::pin(merge_some(conn, batch, now))).await? {}
        while let Some((last, waiting)) = self.next_shared(batch, after).await? {
            after = last;
            for people in in_chunks(waiting) {
                self.store
                    .db
                    .write(move |conn| Box::pin(async move { assign(conn, &people, now).await }))
                    .await?;
            }
        }
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute("UPDATE batches SET owners_due = 0 WHERE id = $1", &[&batch])
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Returns the next rows of a batch: the number of the last row, and the waiting people of these rows that another batch
    /// owns.
    async fn next_shared(self, batch: i64, after: i64) -> Result<Option<(i64, Vec<i64>)>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<(i64, Option<i64>)> = conn.fetch_all(
            "SELECT w.row_number, r.id FROM batch_rows w
             LEFT JOIN reveals r ON r.id = w.reveal_id AND r.state IN ('queued', 'retrying') AND r.owner <> $1
             WHERE w.batch_id = $1 AND w.row_number > $2 ORDER BY w.row_number LIMIT $3",
            &[&batch, &after, &READ_AT_ONCE],
        )
        .await?;
        let Some(&(last, _)) = found.last() else { return Ok(None) };
        Ok(Some((last, found.into_iter().filter_map(|(_, reveal)| reveal).collect())))
    }
}

async fn assign(conn: &mut Conn, waiting: &[i64], now: Timestamp) -> Result<()> {
    RevealIds::lock(conn).await?;
    let mut totals = Totals::default();
    assign_owners(conn, &mut totals, waiting, now).await?;
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(())
}
