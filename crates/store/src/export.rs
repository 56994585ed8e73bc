//! The rows of a batch, page by page, as an export writes them. A batch that is still running can be
//! read, too: each page is what stands there at its moment.

use std::collections::{BTreeSet, HashMap};

use jobs::Timestamp;

use crate::conn::{Conn, row, rows};
use crate::status::BatchRef;
use crate::totals::json;
use crate::{Result, Store, StoreError};

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

/// A row as it comes from the database, in the order of the statement's columns.
#[derive(serde::Deserialize)]
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

    /// Up to `most` rows after row `after`, in their order; none at the end.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn export_page(
        &self,
        batch: &BatchRef,
        after: i64,
        most: usize,
    ) -> Result<Vec<ExportRow>> {
        let mut conn = self.read().await?;
        // One value with all rows: many rows, value by value, take several times as long.
        let page: Option<(String,)> = row!(
            conn,
            "SELECT CAST(JSON_ROWS(x.row_number, x.fields, x.shared, x.ended, x.reveal_id, x.provider,
                                   x.state, x.reason, x.credits, x.revealed_at)) AS TEXT)
             FROM (SELECT w.row_number, w.fields, w.shared, w.ended, w.reveal_id, r.provider, r.state,
                          r.reason, r.credits, r.revealed_at
                   FROM batch_rows w LEFT JOIN reveals r ON r.id = w.reveal_id
                   WHERE w.batch_id = $1 AND w.row_number > $2
                   ORDER BY w.row_number LIMIT $3) AS x
             HAVING COUNT(*) > 0",
            batch.id,
            after,
            most as i64,
        )?;
        let Some((page,)) = page else { return Ok(Vec::new()) };
        let mut page: Vec<PageRow> = parse(&page, "batch_rows", batch.id)?;
        page.sort_unstable_by_key(|row| row.row_number);
        let holds = holds_of(&mut conn, batch.id).await?;
        let phones = phones_of(&mut conn, &page).await?;
        Ok(page
            .into_iter()
            .map(|row| {
                let found = row.reveal_id.and_then(|id| phones.get(&id)).cloned();
                row.shown(&holds, found)
            })
            .collect())
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
    let numbers: Option<(String,)> = row!(
        conn,
        "SELECT CAST(JSON_ROWS(x.reveal_id, x.raw, x.e164, x.kind)) AS TEXT)
         FROM (SELECT p.reveal_id, p.raw, p.e164, p.kind FROM IDS($1) AS e
               JOIN phones p ON p.reveal_id = CAST(e.value AS BIGINT)
               ORDER BY p.reveal_id, p.position) AS x
         HAVING COUNT(*) > 0",
        json(&found),
    )?;
    let numbers: Vec<PhoneRow> = match numbers {
        Some((numbers,)) => parse(&numbers, "phones", 0)?,
        None => Vec::new(),
    };
    for (reveal, raw, e164, kind) in numbers {
        let number = e164.unwrap_or(raw);
        let of_person = phones.entry(reveal).or_default();
        if of_person.iter().all(|phone| phone.number != number) {
            of_person.push(ExportPhone { number, kind });
        }
    }
    Ok(phones)
}

fn parse<T: serde::de::DeserializeOwned>(
    rows: &str,
    table: &'static str,
    batch: i64,
) -> Result<Vec<T>> {
    // What stands in the rows must not get into an error: it is personal data.
    serde_json::from_str(rows).map_err(|error| StoreError::Corrupt {
        table,
        column: "all",
        row: batch.to_string(),
        value: format!("{:?} at column {}", error.classify(), error.column()),
    })
}
