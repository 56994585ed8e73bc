//! What goes wrong with a database.

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use sqlx::migrate::MigrateError;

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(crate) const DEADLOCK_DETECTED: &str = "40P01";

/// What went wrong with a database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database can't be reached or used just now; the same again may succeed. The message holds the cause's, which
    /// is no source of its own: a printed chain of errors would say it twice.
    #[error("the database can't be used: {0}")]
    Failed(Failure),
    /// It can't be opened.
    #[error("{found}; {advice}")]
    Unusable {
        /// What is wrong, with the file or the server.
        found: String,
        /// What to do about it.
        advice: String,
    },
    /// There is no such file, and what is to be done makes none.
    #[error("there is no database {place}")]
    Missing {
        /// The absolute path.
        place: String,
    },
    /// The URL names no database we know.
    #[error("{url:?} is no database; write sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME")]
    Url {
        /// What was given, without its password.
        url: String,
    },
    /// The migrations could not be applied, or the schema is a newer version's.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migrate(MigrateError),
}

/// The result of using a database.
pub type Result<T, E = DbError> = std::result::Result<T, E>;

/// Why a database can't be used just now.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// SQLite's own words.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// Postgres' words, or those of the network on the way to it.
    #[error("{}", words(.0))]
    Postgres(sqlx::Error),
    /// The failure of a transaction that several callers shared: each of them gets it.
    #[error("{0}")]
    Shared(String),
    /// The write ended in a bug of ours; nothing of it is kept.
    #[error("the write failed by a bug; please report it with the log")]
    Panicked,
    /// The program is about to end.
    #[error("the database is closed")]
    Closed,
}

/// The error of work that runs in a transaction: the owner's own, with the database's among its cases.
pub trait WorkError: From<DbError> + Send + 'static {
    /// The database's error, if it is one.
    fn as_database(&self) -> Option<&DbError>;
}

impl WorkError for DbError {
    fn as_database(&self) -> Option<&DbError> {
        Some(self)
    }
}

impl From<Failure> for DbError {
    fn from(error: Failure) -> Self {
        DbError::Failed(error)
    }
}

impl From<MigrateError> for DbError {
    fn from(error: MigrateError) -> Self {
        DbError::Migrate(error)
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        DbError::Failed(Failure::Postgres(error))
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        DbError::Failed(Failure::Sqlite(error))
    }
}

impl DbError {
    /// The failure of a transaction that several shared, for each of them.
    pub(crate) fn shared(why: &str) -> Self {
        DbError::Failed(Failure::Shared(why.to_owned()))
    }

    /// What happened, for a message that says already that it was the database.
    pub(crate) fn words(&self) -> String {
        match self {
            DbError::Failed(failure) => failure.to_string(),
            other => other.to_string(),
        }
    }

    /// Whether the same again may succeed: the database was away, locked or full.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, DbError::Failed(_))
    }

    /// Whether another process holds the lock of a SQLite file.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self, DbError::Failed(Failure::Sqlite(error))
            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    /// Whether Postgres gave the transaction up because it and others waited for each other.
    pub(crate) fn is_deadlock(&self) -> bool {
        matches!(self, DbError::Failed(Failure::Postgres(sqlx::Error::Database(error)))
            if error.code().as_deref() == Some(DEADLOCK_DETECTED))
    }

    /// Whether a value that must be unique was there already.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        match self {
            DbError::Failed(Failure::Sqlite(error)) => {
                let code = error.sqlite_error().map(|error| error.extended_code);
                matches!(code, Some(SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY))
            }
            DbError::Failed(Failure::Postgres(sqlx::Error::Database(error))) => {
                error.is_unique_violation()
            }
            _ => false,
        }
    }
}

/// A driver's words, without those that say the line of the server's source.
pub(crate) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no connection to it became free within 10 s".to_owned(),
        other => other.to_string(),
    }
}
