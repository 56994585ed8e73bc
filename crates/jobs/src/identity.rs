//! Derives persons and decisions from identifiers, without a database.
//!
//! The evidence is kept unchanged: the identifiers that were on one row, or that an answer named for one person.
//! Persons are derived from all evidence, so the order in which it came never matters.

/// Which of a person's reveals counts, and which reveals give way to it.
pub mod choice;
/// Evidence.
mod links;
/// From evidence to persons.
mod persons;

pub use self::links::{Links, MOST_ADDRESSES, is_address};
pub use self::persons::{Contradiction, Persons};

/// How many links to follow from an identifier. Evidence further off can't change its person: the links lead from an
/// address to its ids, to their addresses, to the ids behind these, and once more for the one id that may be a partner.
pub const FARTHEST: usize = 6;

#[cfg(test)]
mod tests;
