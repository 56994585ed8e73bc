use std::process::ExitCode;

use store::{DbError, StoreError};

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command line or environment contradicts itself or the database; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something failed; exit code 1.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl StartError {
    /// Returns the documented exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            StartError::Usage(_) => ExitCode::from(2),
            StartError::Failed(_) => ExitCode::from(1),
        }
    }
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        StartError::Failed(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stamp { .. } | StoreError::Database(DbError::Url { .. }) => {
                StartError::Usage(error.to_string())
            }
            error => StartError::Failed(error.into()),
        }
    }
}
