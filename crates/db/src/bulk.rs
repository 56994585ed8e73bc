//! One statement for many rows.

pub(crate) mod columns;
pub(crate) mod contiguous_ids;
pub(crate) mod range_update;
mod statement;

pub use columns::{Column, Columns, ints, same, same_text, shared, texts, words};
pub use contiguous_ids::fetch_by_ids;
pub use range_update::{Key, write_ranges};
pub use statement::{fetch_for_rows, write_rows};
