//! The rows that show somebody.

use crate::Result;
use crate::conn::{Conn, rows};
use crate::runs::{Numbers, in_runs};
use crate::totals::json;

/// Whom a row shows, its batch, and whether it shares what they cost (1).
pub(crate) type RowShowing = (i64, i64, i64);

/// The rows that show these people and haven't ended by themselves.
pub(crate) async fn rows_showing(conn: &mut Conn, ids: &[i64]) -> Result<Vec<RowShowing>> {
    let mut shown = Vec::with_capacity(ids.len());
    for some in in_runs(ids) {
        let rows: Vec<RowShowing> = match some {
            Numbers::Run(run) => rows!(
                conn,
                "SELECT w.reveal_id, w.batch_id, w.shared FROM batch_rows w
                 WHERE w.reveal_id BETWEEN $1 AND $2 AND w.ended IS NULL",
                *run.start(),
                *run.end(),
            )?,
            Numbers::Others(ids) => rows!(
                conn,
                "SELECT w.reveal_id, w.batch_id, w.shared FROM IDS($1) AS e
                 JOIN batch_rows w ON w.reveal_id = CAST(e.value AS BIGINT) AND w.ended IS NULL",
                json(&ids),
            )?,
        };
        shown.extend(rows);
    }
    Ok(shown)
}
