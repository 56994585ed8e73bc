use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::IdentifierKind;

/// The most LinkedIn addresses of one person. An id that occurs with more addresses comes from a cell that was filled
/// down, and joins none of them.
pub const MOST_ADDRESSES: usize = 20;

/// Evidence that identifiers belong to one person, and the pairs that were separated by hand. Identifiers are encoded.
#[derive(Debug, Clone, Default)]
pub struct Links {
    pub(super) joined: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    split: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Links {
    /// Whether there is no evidence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    /// Notes that two identifiers belong to one person; returns whether that is new. Two identifiers of one kind never do.
    pub fn join(&mut self, one: &Arc<str>, other: &Arc<str>) -> bool {
        if kind(one) == kind(other) || self.are_split(one, other) {
            return false;
        }
        add(&mut self.joined, other, one);
        add(&mut self.joined, one, other)
    }

    /// Notes that two identifiers belong to two people, whatever other evidence says.
    pub fn split(&mut self, one: &Arc<str>, other: &Arc<str>) {
        for (one, other) in [(one, other), (other, one)] {
            add(&mut self.split, one, other);
            if let Some(joined) = self.joined.get_mut(one) {
                joined.remove(other);
            }
        }
    }

    /// Whether two identifiers are joined directly.
    #[must_use]
    pub fn are_joined(&self, one: &str, other: &str) -> bool {
        self.joined.get(one).is_some_and(|joined| joined.contains(other))
    }

    /// Whether two identifiers were separated.
    #[must_use]
    pub fn are_split(&self, one: &str, other: &str) -> bool {
        self.split.get(one).is_some_and(|split| split.contains(other))
    }

    /// Whether an id occurs with more addresses than one person has.
    #[must_use]
    pub fn is_filled_down(&self, identifier: &str) -> bool {
        !is_address(identifier)
            && self.linked_to(identifier).filter(|other| is_address(other)).count() > MOST_ADDRESSES
    }

    /// The identifiers that the evidence joins to this one.
    pub fn linked_to(&self, identifier: &str) -> impl Iterator<Item = &Arc<str>> {
        self.joined.get(identifier).into_iter().flatten()
    }
}

fn add(
    links: &mut HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    one: &Arc<str>,
    other: &Arc<str>,
) -> bool {
    links.entry(Arc::clone(one)).or_default().insert(Arc::clone(other))
}

pub(super) fn kind(identifier: &str) -> Option<IdentifierKind> {
    IdentifierKind::of_encoded(identifier)
}

/// Whether an encoded identifier is a LinkedIn address. All other identifiers are providers' own ids.
#[must_use]
pub fn is_address(identifier: &str) -> bool {
    kind(identifier) == Some(IdentifierKind::LinkedinUrl)
}
