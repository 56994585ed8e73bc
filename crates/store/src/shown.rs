//! The rows that show somebody.

use crate::Result;
use crate::conn::Conn;
use crate::runs::rows_of;

/// Whom a row shows, its batch, and whether it shares what they cost (1).
pub(crate) type RowShowing = (i64, i64, i64);

/// The rows that show these people and haven't ended by themselves.
pub(crate) async fn rows_showing(conn: &mut Conn, ids: &[i64]) -> Result<Vec<RowShowing>> {
    Ok(rows_of!(
        conn,
        ids,
        "SELECT w.reveal_id, w.batch_id, w.shared",
        "batch_rows w",
        "w.reveal_id",
        "AND w.ended IS NULL"
    ))
}
