use std::io;
use std::process::ExitCode;

use store::{DbError, StoreError};

use crate::input::InputError;
use crate::signals::Stop;

/// Why a command did not do what it was asked. The message says what, and what to do.
#[derive(Debug)]
pub enum Failure {
    /// Failed while running: the same command may succeed later.
    Failed(String),
    /// Wrong usage.
    Usage(String),
    /// The input was refused; nothing of it was enqueued.
    Refused(String),
    /// There is no such batch, or no database.
    NotFound(String),
    /// Ctrl-C or SIGTERM.
    Interrupted(String, Stop),
    /// The reader closed standard output, having read enough. This is not a failure.
    OutputClosed,
}

impl Failure {
    /// Returns the text for standard error.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Failure::Failed(message)
            | Failure::Usage(message)
            | Failure::Refused(message)
            | Failure::NotFound(message)
            | Failure::Interrupted(message, _) => Some(message),
            Failure::OutputClosed => None,
        }
    }

    /// Returns the exit code; after a signal the code by which shells know the signal.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::OutputClosed => 0,
            Failure::Failed(_) | Failure::NotFound(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Refused(_) => 3,
            Failure::Interrupted(_, Stop::Interrupt) => 130,
            Failure::Interrupted(_, Stop::Terminate) => 143,
        })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Database(error) => of_database(&error, message),
            StoreError::Stamp { .. } => Failure::Usage(message),
            StoreError::Conflict(_) => Failure::Refused(message),
            StoreError::NotFound(_) => Failure::NotFound(message),
            StoreError::Lost { .. } | StoreError::Corrupt { .. } => Failure::Failed(message),
        }
    }
}

fn of_database(error: &DbError, message: String) -> Failure {
    match error {
        DbError::Url { .. } => Failure::Usage(message),
        DbError::Failed(_) => {
            let advice = advice(&message);
            Failure::Failed(format!("{message}; {advice}, then try again"))
        }
        DbError::Migrate(_) => Failure::Failed(format!(
            "{message}; use the newest version of enqueue, or another database"
        )),
        DbError::Missing { .. } => Failure::NotFound(format!(
            "{message}; enqueue submit FILE makes one, or name another by --database-url (DATABASE_URL)"
        )),
        DbError::Unusable { .. } => Failure::Failed(message),
    }
}

/// Says what to do about an unusable database, by the words of the database's own message.
fn advice(message: &str) -> &'static str {
    if message.contains("is full") || message.contains("No space left") {
        "make room on the database's disk"
    } else if message.contains("is locked") {
        "let the process that keeps it locked go on or end (lslocks shows it)"
    } else {
        "see that --database-url (DATABASE_URL) is right and the database runs"
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        if error.is_refusal() {
            Failure::Refused(error.to_string())
        } else {
            Failure::Failed(error.to_string())
        }
    }
}

/// Errors of standard output. Errors of other files get the file's name where they happen.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::OutputClosed
        } else {
            Failure::Failed(format!("can't write to standard output: {error}"))
        }
    }
}
