//! The values of many rows, column by column, as one statement takes them.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::ToSql;

/// The values of one column, all rows'.
pub enum Column {
    /// The same number in so many rows.
    Same(Option<i64>, usize),
    /// The same text in so many rows.
    SameText(Option<String>, usize),
    /// Numbers.
    Ints(Vec<Option<i64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Texts that are constants of the program.
    Words(Vec<Option<&'static str>>),
    /// Texts that others hold, too.
    Shared(Vec<Arc<str>>),
    /// Bytes.
    Blobs(Vec<Vec<u8>>),
}

impl Column {
    pub(super) fn len(&self) -> usize {
        match self {
            Column::Same(_, rows) | Column::SameText(_, rows) => *rows,
            Column::Ints(values) => values.len(),
            Column::Texts(values) => values.len(),
            Column::Words(values) => values.len(),
            Column::Shared(values) => values.len(),
            Column::Blobs(values) => values.len(),
        }
    }

    /// The value of a row, for SQLite; `None` where it is that of the row before.
    pub(crate) fn new_value(&self, row: usize, first: usize) -> Option<&dyn ToSql> {
        match self {
            Column::Same(value, _) => (row == first).then_some(value as &dyn ToSql),
            Column::SameText(value, _) => (row == first).then_some(value as &dyn ToSql),
            Column::Ints(values) => values.get(row).map(|value| value as &dyn ToSql),
            Column::Texts(values) => values.get(row).map(|value| value as &dyn ToSql),
            Column::Words(values) => values.get(row).map(|value| value as &dyn ToSql),
            Column::Shared(values) => values.get(row).map(|value| value as &dyn ToSql),
            Column::Blobs(values) => values.get(row).map(|value| value as &dyn ToSql),
        }
    }

    /// The values of some rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> Column {
        match self {
            Column::Same(value, _) => Column::Same(*value, rows.len()),
            Column::SameText(value, _) => Column::SameText(value.clone(), rows.len()),
            Column::Ints(values) => Column::Ints(values[rows].to_vec()),
            Column::Texts(values) => Column::Texts(values[rows].to_vec()),
            Column::Words(values) => Column::Words(values[rows].to_vec()),
            Column::Shared(values) => Column::Shared(values[rows].to_vec()),
            Column::Blobs(values) => Column::Blobs(values[rows].to_vec()),
        }
    }

    pub(super) fn is_same(&self) -> bool {
        matches!(self, Column::Same(..) | Column::SameText(..))
    }

    pub(super) fn postgres_type(&self) -> &'static str {
        match self {
            Column::Same(..) | Column::Ints(_) => "bigint",
            Column::SameText(..) | Column::Texts(_) | Column::Words(_) | Column::Shared(_) => {
                "text"
            }
            Column::Blobs(_) => "bytea",
        }
    }
}

/// The columns of some rows, by name; all are of one length.
pub type Columns = Vec<(&'static str, Column)>;

/// A column of numbers.
pub fn ints<T: Into<Option<i64>>>(values: impl IntoIterator<Item = T>) -> Column {
    Column::Ints(values.into_iter().map(Into::into).collect())
}

/// A column of texts.
pub fn texts<T: Into<String>>(values: impl IntoIterator<Item = Option<T>>) -> Column {
    Column::Texts(values.into_iter().map(|value| value.map(Into::into)).collect())
}

/// A column of texts that are constants of the program.
pub fn words(values: impl IntoIterator<Item = Option<&'static str>>) -> Column {
    Column::Words(values.into_iter().collect())
}

/// A column of texts that others hold, too.
pub fn shared(values: impl IntoIterator<Item = Arc<str>>) -> Column {
    Column::Shared(values.into_iter().collect())
}

/// A column that holds the same number in every row.
pub fn same(value: impl Into<Option<i64>>, rows: usize) -> Column {
    Column::Same(value.into(), rows)
}

/// A column that holds the same text in every row.
pub fn same_text<'a>(value: impl Into<Option<&'a str>>, rows: usize) -> Column {
    Column::SameText(value.into().map(str::to_owned), rows)
}

/// The number of the parameter, from 1, that is a column's value in a row.
pub(crate) fn parameter(columns: &Columns, row: usize, column: usize) -> usize {
    let row = if columns[column].1.is_same() { 0 } else { row };
    row * columns.len() + column + 1
}
