//! What a process does: receive webhooks, work, or both.

use clap::ValueEnum;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Do everything.
    All,
    /// Receive webhooks and store them.
    Webhooks,
    /// Do everything but receive webhooks.
    Jobs,
}

impl Role {
    /// Whether webhooks are received.
    #[must_use]
    pub fn receives(self) -> bool {
        self != Role::Jobs
    }

    /// Whether calls are sent and results applied.
    #[must_use]
    pub fn works(self) -> bool {
        self != Role::Webhooks
    }

    /// The word of the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Webhooks => "webhooks",
            Role::Jobs => "jobs",
        }
    }
}
