//! A look into a file that is not the one in use.

use std::path::Path;

use crate::sqlite::connection::Sqlite;

/// A single query needs no more.
const CACHE_KIB: u32 = 64;

/// The number that a query finds in a SQLite file, if it can be asked there. The file is left as it is.
#[must_use]
pub fn number_in_file(file: &Path, query: &str) -> Option<i64> {
    let conn = Sqlite::open(file, CACHE_KIB).ok()?.conn;
    conn.query_row(query, [], |row| row.get(0)).ok()
}
