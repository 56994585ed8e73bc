//! Who is who: identifiers in, persons and decisions out. No database.
//!
//! The evidence is kept as it came: which identifiers stood on one row, or were named by an answer for one person.
//! Persons are derived from all of it, so the order in which it came never matters.

/// Which of a person's reveals counts, and which gives way to it.
pub mod choice;
/// Evidence.
mod links;
/// From evidence to persons.
mod persons;

pub use self::links::{Links, MOST_ADDRESSES, is_address};
pub use self::persons::{Contradiction, Persons};

/// How far evidence has to be followed from an identifier until nothing further off can change its person: from an
/// address to its ids, their addresses, the ids behind these, and once more for the one id that may be a partner.
pub const FARTHEST: usize = 6;

#[cfg(test)]
mod tests;
