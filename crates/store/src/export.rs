//! The rows of a batch, page by page, as an export writes them. A batch that is still running can be
//! read, too: each page is what stands there at its moment.

use std::collections::{BTreeSet, HashMap};

use jobs::Timestamp;
use tokio::sync::mpsc;

use crate::conn::{Conn, row, rows};
use crate::record::record;
use crate::status::BatchRef;
use crate::totals::json;
use crate::{Result, Store, StoreError};

/// Pages that are ahead of who takes them.
const AHEAD: usize = 2;

/// A row with what became of it.
#[derive(Clone)]
pub struct ExportRow {
    /// The row's place in the batch, from 1.
    pub number: i64,
    /// The caller's own columns, as JSON.
    pub fields: String,
    /// As `row_status` shows it.
    pub state: String,
    /// Whose reveal the row shows.
    pub provider: Option<String>,
    /// The numbers, where the person was found.
    pub phones: Vec<ExportPhone>,
    /// What the row cost; 0 where it shares.
    pub credits: i64,
    /// As `row_status` shows it.
    pub reason: Option<String>,
    /// When the result came.
    pub revealed_at: Option<Timestamp>,
}

/// A number. Has no `Debug`: numbers are personal data.
#[derive(Clone)]
pub struct ExportPhone {
    /// In E.164 where it can be parsed, else as the provider gave it.
    pub number: String,
    /// The provider's word for its type.
    pub kind: Option<String>,
}

/// The caller's columns of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Their names, in order.
    pub names: Vec<String>,
    /// Whether each row brought its own (JSON Lines).
    pub from_json_lines: bool,
}

record! {
    struct PageRow {
        row_number: i64,
        fields: String,
        shared: i64,
        ended: Option<String>,
        reveal_id: Option<i64>,
        provider: Option<String>,
        state: Option<String>,
        reason: Option<String>,
        credits: Option<i64>,
        revealed_at: Option<i64>,
    }
}

/// What queued rows show instead, by provider: why they can't be sent just now.
type Holds = HashMap<String, (Option<String>, Option<String>)>;

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

    /// All rows in their order, in pages of `most`. While the numbers of one page are looked up, the rows
    /// of the next are read, so that the database works on both. Some pages are ahead of who takes them.
    #[must_use]
    pub fn export_pages(
        &self,
        batch: BatchRef,
        most: usize,
    ) -> mpsc::Receiver<Result<Vec<ExportRow>>> {
        let (rows_sender, mut rows) = mpsc::channel(1);
        let (sender, pages) = mpsc::channel(AHEAD);
        let (store, of) = (self.clone(), batch.clone());
        tokio::spawn(async move {
            let mut after = Some(0);
            while let Some(from) = after {
                let page = store.page_rows(&of, from, most).await;
                after = page.as_ref().ok().and_then(|rows| rows.last()).map(|row| row.row_number);
                if rows_sender.send(page).await.is_err() {
                    return;
                }
            }
        });
        let store = self.clone();
        tokio::spawn(async move {
            while let Some(page) = rows.recv().await {
                let page = match page {
                    Ok(page) if page.is_empty() => return,
                    Ok(page) => store.complete(&batch, page).await,
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

    async fn page_rows(&self, batch: &BatchRef, after: i64, most: usize) -> Result<Vec<PageRow>> {
        let mut conn = self.read().await?;
        rows!(
            conn,
            "SELECT w.row_number, w.fields, w.shared, w.ended, w.reveal_id, r.provider,
                    CASE WHEN r.state = 'asked' THEN (
                        SELECT c.shown_as FROM shown_calls c WHERE c.id = r.call_id) ELSE r.state END AS state,
                    CASE WHEN r.state = 'asked' THEN (
                        SELECT c.reason FROM shown_calls c WHERE c.id = r.call_id) ELSE r.reason END AS reason,
                    r.credits, r.revealed_at
             FROM batch_rows w LEFT JOIN reveals r ON r.id = w.reveal_id
             WHERE w.batch_id = $1 AND w.row_number > $2
             ORDER BY w.row_number LIMIT $3",
            batch.id,
            after,
            most as i64,
        )
    }

    /// With their numbers, and as they are shown.
    async fn complete(&self, batch: &BatchRef, page: Vec<PageRow>) -> Result<Vec<ExportRow>> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let mut conn = self.read().await?;
        let holds = holds_of(&mut conn, batch.id).await?;
        let phones = phones_of(&mut conn, &page).await?;
        let shown = |row: PageRow| {
            let found = row.reveal_id.and_then(|id| phones.get(&id)).cloned();
            row.shown(&holds, found)
        };
        Ok(page.into_iter().map(shown).collect())
    }
}

impl PageRow {
    /// The row as `row_status` shows it.
    fn shown(self, holds: &Holds, phones: Option<Vec<ExportPhone>>) -> ExportRow {
        let ended = self.ended.is_some();
        let hold = self
            .provider
            .as_ref()
            .filter(|_| !ended && self.state.as_deref() == Some("queued"))
            .and_then(|provider| holds.get(provider));
        let (state, reason) = match (self.ended, hold) {
            (Some(why), _) => (Some("cancelled".to_owned()), Some(why)),
            (None, Some((Some(shown_as), why))) => (Some(shown_as.clone()), why.clone()),
            (None, _) => (self.state, self.reason),
        };
        let free = self.shared == 1 || ended;
        ExportRow {
            number: self.row_number,
            fields: self.fields,
            state: state.unwrap_or_default(),
            provider: self.provider,
            phones: phones.unwrap_or_default(),
            credits: if free { 0 } else { self.credits.unwrap_or(0) },
            reason,
            revealed_at: self.revealed_at.filter(|_| !ended).map(Timestamp),
        }
    }
}

async fn holds_of(conn: &mut Conn, batch: i64) -> Result<Holds> {
    let found: Vec<(String, Option<String>, Option<String>)> = rows!(
        conn,
        "SELECT h.provider,
                CASE WHEN t.at_ceiling = 1 THEN 'held' ELSE h.shown_as END,
                CASE WHEN t.at_ceiling = 1 THEN 'batch_ceiling' ELSE h.reason END
         FROM provider_holds h LEFT JOIN batch_totals t ON t.provider = h.provider AND t.batch_id = $1",
        batch,
    )?;
    Ok(found.into_iter().map(|(provider, shown_as, why)| (provider, (shown_as, why))).collect())
}

type PhoneRow = (i64, String, Option<String>, Option<String>);

/// The numbers of a page's people, each number once. Rows of one page may share a person.
async fn phones_of(conn: &mut Conn, page: &[PageRow]) -> Result<HashMap<i64, Vec<ExportPhone>>> {
    let found: BTreeSet<i64> = page
        .iter()
        .filter(|row| row.ended.is_none() && row.state.as_deref() == Some("found"))
        .filter_map(|row| row.reveal_id)
        .collect();
    let mut phones: HashMap<i64, Vec<ExportPhone>> = HashMap::with_capacity(found.len());
    if found.is_empty() {
        return Ok(phones);
    }
    let numbers: Vec<PhoneRow> = rows!(
        conn,
        "SELECT p.reveal_id, p.raw, p.e164, p.kind FROM IDS($1) AS e
         JOIN phones p ON p.reveal_id = CAST(e.value AS BIGINT)
         ORDER BY p.reveal_id, p.position",
        json(&found),
    )?;
    for (reveal, raw, e164, kind) in numbers {
        let number = e164.unwrap_or(raw);
        let of_person = phones.entry(reveal).or_default();
        if of_person.iter().all(|phone| phone.number != number) {
            of_person.push(ExportPhone { number, kind });
        }
    }
    Ok(phones)
}
