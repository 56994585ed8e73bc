use jobs::{Provider, json};
use serde_json::Value;

pub use crate::entries::{Malformed, Reading};
use crate::{clodura, entries, ocean};

/// Whether [`parse`] can read a body. Somebody waits for the answer, so numbers are left to whoever applies it.
///
/// # Errors
/// Those of [`parse`].
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
/// A body from which nothing can be read. Fields and words that nothing published names are no error, nor is an
/// entry that can't be read beside one that can: they are passed over, and what is not a result stays open.
pub fn parse(provider: Provider, body: &[u8]) -> Result<Reading, Malformed> {
    let json = read(body)?;
    match provider {
        Provider::Ocean => ocean::read(&json),
        Provider::Clodura => clodura::read(&json),
    }
}

fn read(body: &[u8]) -> Result<Value, Malformed> {
    json::read(body).map_err(|error| {
        Malformed::new(&format!("no JSON (line {}, column {})", error.line(), error.column()))
    })
}
