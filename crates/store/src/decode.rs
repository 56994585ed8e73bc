//! The meaning of stored values. A value that this version can't read is reported with its table, column and row.

use db::bulk::{Column, ints};
use jobs::{BatchId, Credits, Provider, RevealState};

use crate::error::{Result, StoreError};

pub(crate) fn parse_state(state: &str, row: i64) -> Result<RevealState> {
    state.parse().map_err(|_| StoreError::Corrupt {
        table: "reveals",
        column: "state",
        row: row.to_string(),
        value: state.to_owned(),
    })
}

pub(crate) fn parse_provider(provider: &str, row: i64) -> Result<Provider> {
    provider.parse().map_err(|_| StoreError::Corrupt {
        table: "reveals",
        column: "provider",
        row: row.to_string(),
        value: provider.to_owned(),
    })
}

/// A published batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRef {
    pub(crate) id: i64,
    /// Its public id.
    pub batch_id: BatchId,
}

pub(crate) fn parse_batch_id(text: &str) -> Result<BatchId> {
    text.parse().map_err(|_| StoreError::Corrupt {
        table: "batches",
        column: "batch_id",
        row: text.to_owned(),
        value: text.to_owned(),
    })
}

/// A column of credits. The database holds thousandths.
pub(crate) fn credits(values: impl IntoIterator<Item = Credits>) -> Column {
    ints(values.into_iter().map(Credits::thousandths))
}

/// Credits of a column that may be empty.
pub(crate) fn optional_credits(thousandths: Option<i64>) -> Option<Credits> {
    thousandths.map(Credits::from_thousandths)
}
