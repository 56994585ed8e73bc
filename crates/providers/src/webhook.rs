use jobs::{Provider, json};
use serde_json::Value;

pub use crate::entries::{Malformed, Reading};
use crate::{clodura, entries, ocean};

/// Checks that [`parse`] can read a body. The sender waits for the answer, so the numbers are not read yet.
///
/// # Errors
/// The errors of [`parse`].
pub fn check(provider: Provider, body: &[u8]) -> Result<(), Malformed> {
    let shape = match provider {
        Provider::Ocean => ocean::SHAPE,
        Provider::Clodura => clodura::SHAPE,
    };
    entries::entries(&shape, &read(body)?).map(|_| ())
}

/// Reads what a provider's webhook says about each person in it.
///
/// # Errors
/// A body from which nothing can be read. Undocumented fields and words are no error, nor is an unreadable entry next
/// to a readable one: they are skipped, and people without a result stay open.
pub fn parse(provider: Provider, body: &[u8]) -> Result<Reading, Malformed> {
    let json = read(body)?;
    match provider {
        Provider::Ocean => ocean::read(&json),
        Provider::Clodura => clodura::read(&json),
    }
}

fn read(body: &[u8]) -> Result<Value, Malformed> {
    if !json::fits_in_memory(body) {
        return Err(Malformed::new("more values than the result of any request has"));
    }
    json::read(body).map_err(|error| {
        Malformed::new(&format!("no JSON (line {}, column {})", error.line(), error.column()))
    })
}
