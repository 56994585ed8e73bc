//! Putting a batch into the ledger. Rows are staged in chunks under an invisible batch, which is then published. If a submit
//! dies before that, its batch is swept.

mod after_publishing;
pub(crate) mod chunk_size;
mod chunks;
mod load;
mod merge;
mod place;
pub(crate) mod publish;
mod rows;
mod statistics;

use std::collections::BTreeSet;

use db::{BoxFuture, Conn, Durability, ParallelWriter, json};
use jobs::{BatchId, FileForm, Timestamp};

use crate::batches::Batches;
use crate::batches::loading::{Loaded, Loading, NewBatch};
use crate::batches::submit::load::load_chunk;
use crate::error::{Result, StoreError};
use crate::people::new_row::NewRow;
use crate::people::suppression_list::KnownSuppressions;

impl Batches<'_> {
    /// Begins a batch, which is invisible until [`Batches::publish`].
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn begin_batch(self, new: NewBatch) -> Result<Loading> {
        self.sweep_abandoned_batches().await?;
        let now = self.store.now();
        let batch_id = BatchId::generate();
        let header = new.header.as_ref().map(json);
        let NewBatch { priority, refresh_before, wants_mobile, .. } = new;
        let id = self
            .store
            .db
            .write(move |conn| {
                Box::pin(async move { insert_batch(conn, &new, batch_id, header, now).await })
            })
            .await?;
        let suppressions = KnownSuppressions::default();
        Ok(Loading { id, batch_id, priority, refresh_before, wants_mobile, suppressions })
    }

    /// Puts rows into the batch in one short transaction. The rows become durable with [`Batches::publish`]; before that, the
    /// caller has no promise that the batch is kept.
    ///
    /// # Errors
    /// The database can't be used, or the batch was swept as abandoned.
    pub async fn load(self, batch: &Loading, new_rows: Vec<NewRow>) -> Result<Loaded> {
        let (now, parallel) = (self.store.now(), self.store.db.parallel_writer());
        let load = |new_rows| loading(batch.clone(), new_rows, now, parallel.clone());
        if self.store.is_postgres() {
            self.store.db.write_anew(Durability::WithTheNext, || load(new_rows.clone())).await
        } else {
            self.store.db.write_with(Durability::WithTheNext, load(new_rows)).await
        }
    }

    /// Notes the form of the batch's file.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_form(self, batch: &Loading, form: &FileForm) -> Result<()> {
        let (id, form) = (batch.id, json(form));
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute("UPDATE batches SET form = $2 WHERE id = $1", &[&id, &form])
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Notes the columns of a JSON Lines file, which are known once all rows are read.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_keys(self, batch: &Loading, keys: &[String]) -> Result<()> {
        let (id, keys) = (batch.id, json(&keys));
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute("UPDATE batches SET keys = $2 WHERE id = $1", &[&id, &keys])
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Notes the absolute paths of the files that a batch came from.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_sources(self, batch: &Loading, sources: &[String]) -> Result<()> {
        let (id, sources) = (batch.id, json(&sources));
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute("UPDATE batches SET sources = $2 WHERE id = $1", &[&id, &sources])
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Returns the files that batches came from. An export must not overwrite one of them.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sources(self) -> Result<BTreeSet<String>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<(i64, String)> = conn
            .fetch_all("SELECT id, sources FROM batches WHERE sources IS NOT NULL", &[])
            .await?;
        let mut all = BTreeSet::new();
        for (id, text) in found {
            let paths: Vec<String> =
                serde_json::from_str(&text).map_err(|_| StoreError::Corrupt {
                    table: "batches",
                    column: "sources",
                    row: id.to_string(),
                    value: text,
                })?;
            all.extend(paths);
        }
        Ok(all)
    }
}

fn loading(
    batch: Loading,
    new_rows: Vec<NewRow>,
    now: Timestamp,
    parallel: Option<ParallelWriter>,
) -> impl for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<Loaded>> + Send + 'static {
    move |conn| Box::pin(async move { load_chunk(conn, &batch, new_rows, now, parallel).await })
}

async fn insert_batch(
    conn: &mut Conn,
    new: &NewBatch,
    batch_id: BatchId,
    header: Option<String>,
    now: Timestamp,
) -> Result<i64> {
    let id: Option<(i64,)> = conn.fetch_optional(
        "INSERT INTO batches (batch_id, name, header, priority, wants_mobile, created_at, loader_seen_at)
         VALUES ($1, $2, $3, $4, $6, $5, $5) RETURNING id",
        &[
            &batch_id.to_string(),
            &new.name,
            &header,
            &new.priority,
            &now.0,
            &i64::from(new.wants_mobile),
        ],
    )
    .await?;
    let (id,) = id.ok_or_else(|| StoreError::NotFound("the new batch has no id".into()))?;
    for (provider, max) in &new.max_credits {
        conn.execute(
            "INSERT INTO batch_totals (batch_id, provider, max_credits) VALUES ($1, $2, $3)",
            &[&id, &provider.as_str(), &max.thousandths()],
        )
        .await?;
    }
    Ok(id)
}
