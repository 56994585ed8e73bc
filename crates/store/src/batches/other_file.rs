//! Batches in a database file other than the one in use.

use std::path::Path;

use db::number_in_file;

/// Returns how many batches a file other than the one in use holds, if it is a ledger. The file is not changed.
#[must_use]
pub fn batches_in(file: &Path) -> Option<i64> {
    number_in_file(file, "SELECT COUNT(*) FROM batches WHERE published_at IS NOT NULL")
}
