//! The person or program that a request comes from.

use std::sync::Arc;

use store::{Actor, Origin, Store};

use super::roles::Role;

/// The person or program that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The name of the token's holder.
    pub name: Arc<str>,
    /// The role of the token.
    pub role: Role,
    /// Whether there is a session to be ended.
    pub logged_in: bool,
}

impl Visitor {
    /// Returns the ledger, set to record this visitor as the actor.
    pub fn acting_on(&self, store: &Store) -> Store {
        store.acting_as(Actor::new(Origin::Dashboard, &self.name, Some(self.role.as_str())))
    }
}
