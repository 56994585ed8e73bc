//! Changing the priority of a running batch.

use crate::audit::{Action, Entry};
use crate::batches::Batches;
use crate::decode::BatchRef;
use crate::error::Result;
use crate::topic::Topic;

impl Batches<'_> {
    /// Sets a batch's priority. A person wanted by several batches then belongs to the batch that is served soonest.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn set_priority(self, batch: &BatchRef, priority: i64) -> Result<()> {
        let (id, batch_id) = (batch.id, batch.batch_id);
        let (actor, now) = (self.store.actor(), self.store.now());
        self.store.db.write(move |conn| {
            Box::pin(async move {
                // A higher priority moves people to this batch, a lower one to batches that now come before this batch.
                conn.execute(
                    "UPDATE batches SET owners_due = 1
                     WHERE id = $1 OR (priority > $2 AND published_at IS NOT NULL AND cancelled_at IS NULL
                        AND finished_at IS NULL AND $2 < (SELECT o.priority FROM batches o WHERE o.id = $1))",
                    &[&id, &priority],
                )
                .await?;
                conn.execute(
                    "UPDATE batches SET priority = $2 WHERE id = $1",
                    &[&id, &priority],
                )
                .await?;
                let entry = Entry::of(Action::Priority).batch(batch_id);
                entry.details(format!("priority={priority}")).write(conn, actor, now).await?;
                conn.announce(Topic::Queue);
                Ok(())
            })
        })
        .await?;
        self.sweep_owners_due().await
    }
}
