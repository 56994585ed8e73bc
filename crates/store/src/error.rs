//! The errors of the ledger.

use db::{DbError, WorkError};

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be opened or used.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The database is used for real numbers or for made-up ones, never for both.
    #[error(
        "this database is stamped {found}, so it can't be used as {wanted}: real and made-up numbers must not mix; use another DATABASE_URL"
    )]
    Stamp {
        /// The stamp of its first use.
        found: String,
        /// The stamp that was asked for.
        wanted: String,
    },
    /// A write that was fenced by a lease or a state which is no longer held.
    #[error("{what} is no longer ours: {why}")]
    Lost {
        /// The thing, with its id.
        what: String,
        /// Why the write was dropped.
        why: &'static str,
    },
    /// Nothing is known under this name.
    #[error("{0}")]
    NotFound(String),
    /// The request contradicts the ledger's state.
    #[error("{0}")]
    Conflict(String),
    /// A stored value that this version can't read.
    #[error("{table}.{column} of {row} holds {value:?}, which this version can't read")]
    Corrupt {
        /// Its table.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// Its row.
        row: String,
        /// The stored value.
        value: String,
    },
}

/// The result of an operation on the ledger.
pub type Result<T> = std::result::Result<T, StoreError>;

impl WorkError for StoreError {
    fn as_database(&self) -> Option<&DbError> {
        match self {
            StoreError::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl StoreError {
    /// Whether a value that must be unique was there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.as_database().is_some_and(DbError::is_duplicate)
    }

    /// Whether the same operation may succeed when it is repeated: the database was away, locked or full.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.as_database().is_some_and(DbError::is_temporary)
    }
}
