//! Batches in a file that is not the one in use.

use std::path::Path;

use crate::db::sqlite::connection::Sqlite;

/// How many batches a file beside the one in use holds, if it is a ledger. It is left as it is.
#[must_use]
pub fn batches_in(file: &Path) -> Option<i64> {
    let conn = Sqlite::open(file, 64).ok()?.conn;
    let counting = "SELECT COUNT(*) FROM batches WHERE published_at IS NOT NULL";
    conn.query_row(counting, [], |row| row.get(0)).ok()
}
