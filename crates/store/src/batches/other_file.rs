//! Batches in a file that is not the one in use.

use std::path::Path;

use db::number_in_file;

/// How many batches a file beside the one in use holds, if it is a ledger. It is left as it is.
#[must_use]
pub fn batches_in(file: &Path) -> Option<i64> {
    number_in_file(file, "SELECT COUNT(*) FROM batches WHERE published_at IS NOT NULL")
}
