//! Publishing a batch: one update makes it visible. With an idempotency key, the first batch of that key stays the only one.

use db::{Conn, Ints};
use jobs::BatchId;

use crate::batches::Batches;
use crate::batches::loading::{Loading, swept};
use crate::batches::submit::merge::{carry_out_merges, has_many_of_its_own, merge_some};
use crate::error::{Result, StoreError};
use crate::people::resolve::RevealIds;
use crate::reveals::counters::write::{has_open_rows, lock_batches};
use crate::reveals::counters::{Totals, log_end};
use crate::reveals::ownership::assign_owners;
use crate::topic::Topic;

/// How publishing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The batch was published.
    Now,
    /// A batch with the same key and content was published before; the new batch is deleted.
    Before(BatchId),
}

impl Batches<'_> {
    /// Makes the batch visible, all at once. With an idempotency key, the first batch of that key
    /// stays the only one.
    ///
    /// # Errors
    /// The key is in use for other content or options; the batch was swept as abandoned.
    pub async fn publish(
        self,
        batch: &Loading,
        key: Option<(String, String)>,
    ) -> Result<Published> {
        if let Some(before) = self.published_before(batch, key.as_ref()).await? {
            return Ok(before);
        }
        let (id, now) = (batch.id, self.store.now());
        // Merges that don't fit into one short transaction are carried out before or after it.
        while self.store.db.write(move |conn| Box::pin(has_many_of_its_own(conn, id))).await? {
            self.store
                .db
                .write(move |conn| Box::pin(async move { merge_some(conn, id, now).await }))
                .await?;
        }
        let (loading, (text, hash)) = (batch.clone(), key.clone().unzip());
        let published = self.store
            .db.write(move |conn| {
                Box::pin(async move {
                    let waiting = taken_over_by_loading(conn, id).await?;
                    let mut totals = Totals::default();
                    carry_out_merges(conn, &mut totals, id, now).await?;
                    lock_batches(conn, [id]).await?;
                    let published: Option<(i64, Option<i64>)> = conn.fetch_optional(
                        concat!(
                            "UPDATE batches SET published_at = $2, idempotency_key = $3, content_hash = $4,
                                created_at = $2, finished_at = CASE WHEN ",
                            has_open_rows!(),
                            " THEN NULL ELSE CAST($2 AS BIGINT) END
                             WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL
                             RETURNING total, finished_at",
                        ),
                        &[&id, &now.0, &text, &hash],
                    )
                    .await?;
                    // The evidence of a swept batch merges no people.
                    let published = published.ok_or_else(|| swept(&loading))?;
                    assign_owners(conn, &mut totals, &waiting, now).await?;
                    totals.flush(conn, now).await?;
                    conn.announce(Topic::Queue);
                    Ok(published)
                })
            })
            .await;
        match published {
            Ok((rows, finished_at)) => {
                if finished_at.is_some() {
                    log_end(&batch.batch_id.to_string(), rows);
                }
                self.assign_due_owners(batch.id).await?;
                self.refresh_statistics(rows).await;
                Ok(Published::Now)
            }
            // Another submit with this key was published a moment earlier.
            Err(error) if error.is_duplicate() => {
                self.published_before(batch, key.as_ref()).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the batch back if another batch of the same key was published already.
    async fn published_before(
        self,
        batch: &Loading,
        key: Option<&(String, String)>,
    ) -> Result<Option<Published>> {
        let Some((key, content_hash)) = key else { return Ok(None) };
        let Some(before) = self.idempotent_batch(key, content_hash).await? else { return Ok(None) };
        self.abandon(batch).await?;
        Ok(Some(Published::Before(before)))
    }

    /// Returns whether a batch was published under this key.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn idempotency_key_is_taken(self, key: &str) -> Result<bool> {
        let mut conn = self.store.db.read().await?;
        let batches: i64 = conn
            .fetch_value("SELECT COUNT(*) FROM batches WHERE idempotency_key = $1", &[&key])
            .await?;
        Ok(batches > 0)
    }

    /// Returns the batch that was published under `key`, if there is one.
    ///
    /// # Errors
    /// The batch had other content or options.
    pub async fn idempotent_batch(self, key: &str, content_hash: &str) -> Result<Option<BatchId>> {
        let mut conn = self.store.db.read().await?;
        let found: Option<(String, Option<String>)> = conn
            .fetch_optional(
                "SELECT batch_id, content_hash FROM batches WHERE idempotency_key = $1",
                &[&key],
            )
            .await?;
        match found {
            None => Ok(None),
            Some((id, hash)) if hash.as_deref() == Some(content_hash) => {
                Ok(Some(id.parse().map_err(|_| StoreError::Corrupt {
                    table: "batches",
                    column: "batch_id",
                    row: id.clone(),
                    value: id,
                })?))
            }
            Some((id, _)) => Err(StoreError::Conflict(format!(
                "the idempotency key {key:?} was used for batch {id} with other content or options; use another key, or submit exactly the same again"
            ))),
        }
    }
}

/// Returns people of this batch that a loading batch took over; this batch is to own them again. They are locked here,
/// before the batch is, and under the lock of loading batches.
async fn taken_over_by_loading(conn: &mut Conn, batch: i64) -> Result<Vec<i64>> {
    RevealIds::lock(conn).await?;
    let takers: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT id FROM batches WHERE published_at IS NULL AND took_over = 1 AND id <> $1",
            &[&batch],
        )
        .await?;
    if takers.is_empty() {
        return Ok(Vec::new());
    }
    let takers: Vec<i64> = takers.into_iter().map(|(id,)| id).collect();
    // The sum `w.batch_id + 0` keeps both databases from reading all rows of a batch, which may be a million.
    let both: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT r.id FROM IDS($1) AS e
             JOIN reveals r ON r.queue_owner = e.value
             WHERE EXISTS (SELECT 1 FROM batch_rows w
                           WHERE w.reveal_id = r.id AND w.batch_id + 0 = $2 AND w.ended IS NULL)
             ORDER BY r.id FOR UPDATE OF r",
            &[&Ints::of(&takers), &batch],
        )
        .await?;
    Ok(both.into_iter().map(|(id,)| id).collect())
}
