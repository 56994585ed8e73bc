//! A batch's rows, page by page, for people to read: numbers leave the ledger masked here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use db::{Conn, Ints, record};
use jobs::{Credits, RevealState};

use crate::decode::BatchRef;
use crate::error::Result;
use crate::reports::Reports;

/// The most rows that one query looks through: Postgres looks through all of them before it returns any.
const WINDOW: i64 = 20_000;

/// How many times as many rows the next query looks through.
const GROWTH: i64 = 8;

/// How long a page looks for rows of a rare state before it says how far it came.
const PATIENCE: Duration = Duration::from_millis(250);

/// Some rows of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, in their order.
    pub rows: Vec<DisplayedRow>,
    /// Where the next page begins: after this row. `None` at the end.
    pub next_after: Option<i64>,
}

/// The caller's own columns of a row. Prints nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(String);

impl Fields {
    /// As they were submitted: a JSON array, or an object.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A row as `row_status` shows it, with its numbers masked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the view, which the contract explains")]
pub struct DisplayedRow {
    pub row_number: i64,
    pub person: Option<String>,
    pub provider: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub attempts: i64,
    pub next_attempt_at: Option<String>,
    pub phones: Vec<String>,
    pub credits: Credits,
    pub shared: bool,
    pub updated_at: Option<String>,
    pub fields: Fields,
}

record! {
    struct ViewRow {
        row_number: i64,
        person: Option<String>,
        provider: Option<String>,
        state: Option<String>,
        reason: Option<String>,
        attempts: i64,
        next_attempt_at: Option<String>,
        phones: Option<String>,
        credits: Credits = Credits::from_thousandths,
        shared: i64,
        updated_at: Option<String>,
    }
}

/// The states that rows can be filtered by: those of the view.
#[must_use]
pub fn is_displayed_state(state: &str) -> bool {
    match state.parse() {
        Ok(RevealState::Idle | RevealState::Asked) => false,
        Ok(_) => true,
        Err(_) => ["held", "sending", "awaiting"].contains(&state),
    }
}

impl Reports<'_> {
    /// Returns up to `most` rows after row `after`, of `state` if one is given. Rows of a rare state are looked for only a
    /// moment, not to the end of a million rows.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn row_page(
        self,
        batch: &BatchRef,
        after: i64,
        state: Option<&str>,
        most: usize,
    ) -> Result<RowPage> {
        let started = Instant::now();
        let mut conn = self.store.db.read().await?;
        let last = last_row(&mut conn, batch).await?;
        let mut page = RowPage { rows: Vec::new(), next_after: None };
        let mut after = after.max(0);
        let mut window = most as i64;
        while after < last {
            window = window.min(WINDOW);
            let until = after.saturating_add(window);
            window *= GROWTH;
            let wanted = most - page.rows.len();
            let found = read_window(&mut conn, batch, (after, until), state, wanted).await?;
            let full = found.len() == wanted;
            page.rows.extend(found);
            after = match page.rows.last() {
                Some(row) if full => row.row_number,
                _ => until,
            };
            if full || started.elapsed() >= PATIENCE {
                page.next_after = (after < last).then_some(after);
                break;
            }
        }
        read_fields(&mut conn, batch, &mut page.rows).await?;
        Ok(page)
    }
}

async fn last_row(conn: &mut Conn, batch: &BatchRef) -> Result<i64> {
    let found: Vec<(Option<i64>,)> = conn
        .fetch_all("SELECT MAX(row_number) FROM batch_rows WHERE batch_id = $1", &[&batch.id])
        .await?;
    Ok(found.first().and_then(|(last,)| *last).unwrap_or(0))
}

async fn read_window(
    conn: &mut Conn,
    batch: &BatchRef,
    (after, until): (i64, i64),
    state: Option<&str>,
    most: usize,
) -> Result<Vec<DisplayedRow>> {
    let id = batch.batch_id.to_string();
    let found: Vec<ViewRow> = match state {
        None => conn.fetch_all(
            "SELECT row_number, person, provider, state, reason, attempts, next_attempt_at, phones,
                CAST(ROUND(credits * 1000) AS BIGINT) AS credits, shared, updated_at
             FROM row_status WHERE batch_id = $1 AND row_number > $2 AND row_number <= $3
             ORDER BY row_number LIMIT $4",
            &[&id.as_str(), &after, &until, &(most as i64)],
        )
        .await?,
        Some(state) => conn.fetch_all(
            "SELECT row_number, person, provider, state, reason, attempts, next_attempt_at, phones,
                CAST(ROUND(credits * 1000) AS BIGINT) AS credits, shared, updated_at
             FROM row_status WHERE batch_id = $1 AND row_number > $2 AND row_number <= $3 AND state = $5
             ORDER BY row_number LIMIT $4",
            &[&id.as_str(), &after, &until, &(most as i64), &state],
        )
        .await?,
    };
    Ok(found.into_iter().map(ViewRow::masked).collect())
}

/// Reads the caller's columns for the rows of the page only: the view has no such columns.
async fn read_fields(conn: &mut Conn, batch: &BatchRef, rows: &mut [DisplayedRow]) -> Result<()> {
    let numbers: Vec<i64> = rows.iter().map(|row| row.row_number).collect();
    let found: Vec<(i64, String)> = conn
        .fetch_all(
            "SELECT w.row_number, w.fields FROM IDS($1) AS e
             JOIN batch_rows w ON w.batch_id = $2 AND w.row_number = e.value",
            &[&Ints::of(&numbers), &batch.id],
        )
        .await?;
    let mut fields: HashMap<i64, String> = found.into_iter().collect();
    for row in rows {
        row.fields = Fields(fields.remove(&row.row_number).unwrap_or_default());
    }
    Ok(())
}

impl ViewRow {
    fn masked(self) -> DisplayedRow {
        DisplayedRow {
            row_number: self.row_number,
            person: self.person,
            provider: self.provider,
            state: self.state.unwrap_or_default(),
            reason: self.reason,
            attempts: self.attempts,
            next_attempt_at: self.next_attempt_at,
            phones: self.phones.iter().flat_map(|all| all.split(';')).map(mask).collect(),
            credits: self.credits,
            shared: self.shared == 1,
            updated_at: self.updated_at,
            fields: Fields::default(),
        }
    }
}

/// Replaces all digits but the last two by dots, and all digits if there are four or fewer. Drops other characters.
fn mask(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let shown = if digits.len() > 4 { digits.len() - 2 } else { digits.len() };
    "•".repeat(shown).chars().chain(digits.into_iter().skip(shown)).collect()
}

#[cfg(test)]
mod tests {
    use crate::reports::rows::is_displayed_state;
    use crate::reports::rows::mask;

    #[test]
    fn two_digits_are_left_of_a_number() {
        assert_eq!(mask("+4512345678"), "••••••••78");
        assert_eq!(mask("+1439-570-0805"), "•••••••••05");
        assert_eq!(mask("12"), "••", "nothing is left of what is hardly a number");
        assert_eq!(mask("call Bob"), "");
    }

    #[test]
    fn filters_are_the_views_words() {
        assert!(
            is_displayed_state("held")
                && is_displayed_state("not_found")
                && is_displayed_state("awaiting")
        );
        assert!(
            !is_displayed_state("idle")
                && !is_displayed_state("asked")
                && !is_displayed_state("' OR 1=1")
        );
    }
}
