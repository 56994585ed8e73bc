//! The person or program that acts by hand, for the audit log.

/// The longest name of an actor that is kept, in letters.
const LONGEST_NAME: usize = 64;

/// Where an action comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The dashboard of a worker.
    Dashboard,
    /// The command line.
    Enqueue,
}

impl Origin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Origin::Dashboard => "dashboard",
            Origin::Enqueue => "enqueue",
        }
    }
}

/// The person or program that acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub(crate) origin: Origin,
    pub(crate) name: String,
    pub(crate) role: Option<&'static str>,
}

impl Actor {
    /// Makes an actor. `name` is a token's or an operating system user's name, `role` the token's role.
    #[must_use]
    pub fn new(origin: Origin, name: &str, role: Option<&'static str>) -> Self {
        let name = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        Actor { origin, name, role }
    }
}
