//! The person or program that a request comes from.

use std::sync::Arc;

use store::{Actor, Origin, Store};

use super::roles::Role;

/// The person or program that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Of the token.
    pub name: Arc<str>,
    /// Of the token.
    pub role: Role,
    /// Whether there is a session to be ended.
    pub logged_in: bool,
}

impl Visitor {
    /// The ledger, which writes down what this visitor does.
    pub fn acting_on(&self, store: &Store) -> Store {
        store.acting_as(Actor::new(Origin::Dashboard, &self.name, Some(self.role.as_str())))
    }
}
