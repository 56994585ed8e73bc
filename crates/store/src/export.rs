//! The rows of a batch, page by page, as an export writes them. A batch that is still running can be
//! read, too: each page is what stands there at its moment, or stood there a few seconds before.

mod hidden;
mod page;
mod people;

use std::sync::Arc;

use jobs::{Credits, FileForm, Timestamp};
use tokio::sync::mpsc;

use self::page::Rows;
use self::people::People;
use crate::audit::{Action, Entry};
use crate::conn::row;
use crate::status::BatchRef;
use crate::{Result, Store, StoreError};

pub use self::page::ExportPage;

/// Pages that are ahead of who takes them.
const AHEAD: usize = 2;

/// A row with what became of it.
#[derive(Clone)]
pub struct ExportRow<'a> {
    /// The row's place in the batch, from 1.
    pub number: i64,
    /// The caller's own columns, as JSON.
    pub fields: &'a str,
    /// As `row_status` shows it.
    pub state: &'a str,
    /// Whose reveal the row shows.
    pub provider: Option<&'a str>,
    /// The numbers, where the person was found.
    pub phones: Vec<ExportPhone<'a>>,
    /// What the row cost; 0 where it shares.
    pub credits: Credits,
    /// As `row_status` shows it.
    pub reason: Option<&'a str>,
    /// When the result came.
    pub revealed_at: Option<Timestamp>,
}

/// A number. Has no `Debug`: numbers are personal data.
#[derive(Clone)]
pub struct ExportPhone<'a> {
    /// In E.164 where it can be parsed, else as the provider gave it.
    pub number: &'a str,
    /// Its type, as [`jobs::PhoneType`] writes it.
    pub kind: Option<&'a str>,
    /// Its country, by ISO 3166.
    pub country: Option<&'a str>,
}

/// The caller's columns of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Their names, in order.
    pub names: Vec<String>,
    /// Whether each row brought its own (JSON Lines).
    pub from_json_lines: bool,
}

impl Store {
    /// The caller's columns.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn columns(&self, batch: &BatchRef) -> Result<Columns> {
        let mut conn = self.read().await?;
        let found: Option<(Option<String>, Option<String>)> =
            row!(conn, "SELECT header, keys FROM batches WHERE id = $1", batch.id)?;
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

    /// The form in which the batch's file came; none of a batch that came from no file.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn form(&self, batch: &BatchRef) -> Result<Option<FileForm>> {
        let mut conn = self.read().await?;
        let found: Option<(Option<String>,)> =
            row!(conn, "SELECT form FROM batches WHERE id = $1", batch.id)?;
        let Some(text) = found.and_then(|(form,)| form) else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| StoreError::Corrupt {
            table: "batches",
            column: "form",
            row: batch.batch_id.to_string(),
            value: text,
        })
    }

    /// All rows in their order, in pages of `most`. While the people of one page are looked up, the rows
    /// of the next are read, so that the database works on both. Some pages are ahead of who takes them. An error
    /// is the last that comes. The audit log says so before the first is read.
    #[must_use]
    pub fn export_pages(&self, batch: BatchRef, most: usize) -> mpsc::Receiver<Result<ExportPage>> {
        let (rows_sender, mut rows) = mpsc::channel(1);
        let (sender, pages) = mpsc::channel(AHEAD);
        let (store, of) = (self.reading_much(), batch.clone());
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
        let store = self.clone();
        tokio::spawn(async move {
            let mut people = Arc::new(People::default());
            if let Err(error) = store.audit(Entry::of(Action::Export).batch(batch.batch_id)).await {
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
