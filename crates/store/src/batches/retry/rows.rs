//! The rows that are retried: how they are chosen, and the reveals that they show from then on.

use std::collections::HashMap;

use db::bulk::{ints, write_rows};
use db::{Conn, Ints, record};
use jobs::RevealState;

use crate::error::Result;

/// The states of the rows that are to be asked for again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryStates {
    /// Refused for good; nothing was paid.
    pub failed: bool,
    /// Possibly paid, but no result came.
    pub expired: bool,
    /// Cancelled before they were sent.
    pub cancelled: bool,
}

impl RetryStates {
    pub(super) fn choose(self, ended: Option<&str>, state: Option<&str>) -> bool {
        match (ended, state) {
            (Some(ended), _) => self.cancelled && ended == "cancelled",
            (None, Some("failed")) => self.failed,
            (None, Some("expired")) => self.expired,
            _ => false,
        }
    }

    /// Returns the states as text for the audit log.
    pub(super) fn in_words(self) -> String {
        let states =
            [(self.failed, "failed"), (self.expired, "expired"), (self.cancelled, "cancelled")];
        let chosen: Vec<&str> =
            states.into_iter().filter(|(chosen, _)| *chosen).map(|(_, state)| state).collect();
        format!("states={}", chosen.join(","))
    }

    pub(super) fn asks_again(self, state: RevealState) -> bool {
        match state {
            RevealState::Failed => self.failed,
            RevealState::Expired => self.expired,
            _ => false,
        }
    }
}

/// A row that is retried: its steps, and the reveal that it shows.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) ended: bool,
    pub(super) shown: i64,
    pub(super) steps: Vec<i64>,
}

/// The reveals that a row shows from now on.
pub(super) struct RowChange {
    pub(super) batch: i64,
    pub(super) number: i64,
    pub(super) shown: i64,
    pub(super) kept: Option<i64>,
    pub(super) shared: i64,
    pub(super) steps: Vec<i64>,
}

record! {
    /// A row that is retried, with how it ended, if it did, and the reveal that it shows.
    struct ShownRow {
        row_number: i64,
        ended: Option<String>,
        reveal_id: i64,
    }
}

pub(super) async fn read_rows(conn: &mut Conn, batch: i64, numbers: &[i64]) -> Result<Vec<Row>> {
    let found: Vec<ShownRow> = conn
        .fetch_all(
            "SELECT w.row_number, w.ended, w.reveal_id FROM IDS($1) AS e
             JOIN batch_rows w ON w.batch_id = $2 AND w.row_number = e.value
             WHERE w.reveal_id IS NOT NULL ORDER BY w.row_number",
            &[&Ints::of(numbers), &batch],
        )
        .await?;
    let steps: Vec<(i64, i64)> = conn
        .fetch_all(
            "SELECT f.row_number, f.reveal_id FROM IDS($1) AS e
             JOIN row_waterfall f ON f.batch_id = $2 AND f.row_number = e.value
             ORDER BY f.row_number, f.step",
            &[&Ints::of(numbers), &batch],
        )
        .await?;
    let mut of_row: HashMap<i64, Vec<i64>> = HashMap::new();
    for (number, reveal) in steps {
        of_row.entry(number).or_default().push(reveal);
    }
    Ok(found
        .into_iter()
        .map(|row| {
            let (number, shown) = (row.row_number, row.reveal_id);
            let steps = of_row.remove(&number).unwrap_or_else(|| vec![shown]);
            Row { number, ended: row.ended.is_some(), shown, steps }
        })
        .collect())
}

pub(super) async fn write_changes(conn: &mut Conn, changes: &[RowChange]) -> Result<()> {
    let columns = vec![
        ("batch", ints(changes.iter().map(|change| change.batch))),
        ("number", ints(changes.iter().map(|change| change.number))),
        ("shown", ints(changes.iter().map(|change| change.shown))),
        ("kept", ints(changes.iter().map(|change| change.kept))),
        ("shared", ints(changes.iter().map(|change| change.shared))),
    ];
    write_rows(
        conn,
        "UPDATE batch_rows SET ended = NULL, ended_at = NULL, reveal_id = e.shown, kept_id = e.kept, shared = e.shared
         FROM ROWS WHERE batch_rows.batch_id = e.batch AND batch_rows.row_number = e.number",
        columns,
    )
    .await?;
    let steps: Vec<(&RowChange, i64, i64)> = changes
        .iter()
        .flat_map(|change| (0..).zip(&change.steps).map(move |(step, id)| (change, step, *id)))
        .collect();
    let columns = vec![
        ("batch", ints(steps.iter().map(|(change, ..)| change.batch))),
        ("number", ints(steps.iter().map(|(change, ..)| change.number))),
        ("step", ints(steps.iter().map(|(_, step, _)| *step))),
        ("reveal", ints(steps.iter().map(|(.., reveal)| *reveal))),
    ];
    write_rows(
        conn,
        "UPDATE row_waterfall SET reveal_id = e.reveal FROM ROWS
         WHERE row_waterfall.batch_id = e.batch AND row_waterfall.row_number = e.number
           AND row_waterfall.step = e.step",
        columns,
    )
    .await?;
    Ok(())
}
