//! What each role may do on the dashboard: one table.

use std::fmt;
use std::str::FromStr;

/// The role of a token. Each role may do everything that the roles before it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees the state of batches and providers, and no people: for screens and for Prometheus.
    Viewer,
    /// Runs batches.
    Operator,
    /// Decides on money, and sees who did what.
    Admin,
}

/// What can be done on the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Pages without people, and metrics.
    See,
    /// Rows with identifiers, the user's own columns and masked numbers.
    SeePeople,
    /// Numbers, as a file.
    Export,
    /// Stop asking at a provider.
    Pause,
    /// Ask at a provider again.
    Resume,
    /// End a batch.
    Cancel,
    /// Retry a batch's failed rows, within the batch's ceiling.
    Retry,
    /// Raise or lower what a batch may spend.
    SetCeiling,
    /// Who did what.
    ReadAuditLog,
}

impl Role {
    /// Returns whether this role may do `action`.
    #[must_use]
    pub fn may(self, action: Action) -> bool {
        let least = match action {
            Action::See => Role::Viewer,
            Action::SeePeople
            | Action::Export
            | Action::Pause
            | Action::Resume
            | Action::Cancel
            | Action::Retry => Role::Operator,
            Action::SetCeiling | Action::ReadAuditLog => Role::Admin,
        };
        self >= least
    }

    /// Returns the name of the role in a file of tokens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, operator or admin")]
pub struct NoRole;

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        let all = [Role::Viewer, Role::Operator, Role::Admin];
        all.into_iter().find(|role| role.as_str() == text).ok_or(NoRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_table_says() {
        use Action::*;
        for (action, viewer, operator) in [
            (See, true, true),
            (SeePeople, false, true),
            (Export, false, true),
            (Pause, false, true),
            (Resume, false, true),
            (Cancel, false, true),
            (Retry, false, true),
            (SetCeiling, false, false),
            (ReadAuditLog, false, false),
        ] {
            assert_eq!(Role::Viewer.may(action), viewer, "{action:?}");
            assert_eq!(Role::Operator.may(action), operator, "{action:?}");
            assert!(Role::Admin.may(action), "{action:?}");
        }
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(NoRole));
    }
}
