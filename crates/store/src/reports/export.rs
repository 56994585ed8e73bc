//! The rows of a batch, page by page, as an export writes them. A batch that is still running can be read, too: each page
//! shows the rows at its moment, or a few seconds before.

mod hidden;
pub(crate) mod page;
mod people;
pub(crate) mod row;

use std::sync::Arc;

use jobs::FileForm;
use tokio::sync::mpsc;

use crate::audit::{Action, Entry};
use crate::decode::BatchRef;
use crate::error::{Result, StoreError};
use crate::reports::Reports;
use crate::reports::export::page::{ExportPage, Rows};
use crate::reports::export::people::People;

/// How many pages are read ahead of the caller.
const AHEAD: usize = 2;

/// The caller's columns of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Their names, in order.
    pub names: Vec<String>,
    /// Whether each row brought its own (JSON Lines).
    pub from_json_lines: bool,
}

impl Reports<'_> {
    /// The caller's columns.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn columns(self, batch: &BatchRef) -> Result<Columns> {
        let mut conn = self.store.db.read().await?;
        let found: Option<(Option<String>, Option<String>)> = conn
            .fetch_optional("SELECT header, keys FROM batches WHERE id = $1", &[&batch.id])
            .await?;
        let (header, keys) = found.unwrap_or_default();
        let from_json_lines = header.is_none();
        let Some(text) = header.or(keys) else {
            return Ok(Columns { names: Vec::new(), from_json_lines });
        };
        let names = serde_json::from_str(&text).map_err(|_| StoreError::Corrupt {
            table: "batches",
            column: "header",
            row: batch.batch_id.to_string(),
            value: text,
        })?;
        Ok(Columns { names, from_json_lines })
    }

    /// The form in which the batch's file came; `None` for a batch that came from no file.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn form(self, batch: &BatchRef) -> Result<Option<FileForm>> {
        let mut conn = self.store.db.read().await?;
        let found: Option<(Option<String>,)> =
            conn.fetch_optional("SELECT form FROM batches WHERE id = $1", &[&batch.id]).await?;
        let Some(text) = found.and_then(|(form,)| form) else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| StoreError::Corrupt {
            table: "batches",
            column: "form",
            row: batch.batch_id.to_string(),
            value: text,
        })
    }

    /// Returns all rows in their order, in pages of `most`. While the people of one page are read, the rows of the next
    /// page are read, too, so that the database works on both. Some pages are read ahead of the caller. An error comes as
    /// the last page. The audit log gets its entry before the first page comes.
    #[must_use]
    pub fn export_pages(self, batch: BatchRef, most: usize) -> mpsc::Receiver<Result<ExportPage>> {
        let (rows_sender, mut rows) = mpsc::channel(1);
        let (sender, pages) = mpsc::channel(AHEAD);
        let (store, of) = (self.store.reading_much(), batch.clone());
        tokio::spawn(async move {
            let mut after = Some(0);
            while let Some(from) = after {
                let page = Rows::read(&store, &of, from, most).await;
                after = page.as_ref().ok().and_then(Rows::last);
                if rows_sender.send(page).await.is_err() {
                    return;
                }
            }
        });
        let store = self.store.clone();
        tokio::spawn(async move {
            let mut people = Arc::new(People::default());
            if let Err(error) =
                store.audit().note(Entry::of(Action::Export).batch(batch.batch_id)).await
            {
                let _ = sender.send(Err(error)).await;
                return;
            }
            while let Some(page) = rows.recv().await {
                let page = match page {
                    Ok(page) if page.last().is_none() => return,
                    Ok(page) => ExportPage::complete(&store, &batch, page, &mut people).await,
                    Err(error) => Err(error),
                };
                let failed = page.is_err();
                if sender.send(page).await.is_err() || failed {
                    return;
                }
            }
        });
        pages
    }
}
