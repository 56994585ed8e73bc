//! How a row is exported, by `enqueue export` and the dashboard alike: the caller's columns as they were, in their
//! order, and the result of the reveal.

/// What is added to the caller's columns.
mod added;
/// CSV.
pub mod csv;
/// JSON Lines.
pub mod jsonl;
/// The form in which the ledger keeps a row's own columns.
pub mod kept;
/// Cells that a spreadsheet would run.
mod safe;
/// Excel workbooks.
pub mod xlsx;

use jobs::FileForm;

pub use added::is_reserved;

/// What the rows of a batch look like in a file.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The caller's columns.
    pub columns: Vec<String>,
    /// The form of the file.
    pub form: FileForm,
    /// Whether the best mobile number and the first numbers have columns of their own.
    pub wide: bool,
}

impl Layout {
    /// All columns, in their order.
    fn header(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str).chain(added::names(self.wide))
    }
}
