//! Points out the other database: a user who tried the sandbox first has a sandbox.db next to an empty reveal.db, or
//! the other way round.

use std::path::{Path, PathBuf};

use store::{batches_in, sqlite_file};

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{count, say};

const USUAL_NAMES: [&str; 2] = ["reveal.db", "sandbox.db"];

/// Adds a hint to a failure that found no batch or no database, if another database has batches.
pub fn hint(global: &Global, failure: Failure) -> Failure {
    match failure {
        Failure::NotFound(message) => match sentence(global) {
            Some(other) => Failure::NotFound(format!("{message}; {other}")),
            None => Failure::NotFound(message),
        },
        other => other,
    }
}

/// Gives the same hint where a status had nothing to show.
pub fn say_if_empty(global: &Global, shown: Result<bool, Failure>) -> Result<(), Failure> {
    if !shown? && let Some(other) = sentence(global) {
        say(&format!("But {other}"));
    }
    Ok(())
}

fn sentence(global: &Global) -> Option<String> {
    let used = sqlite_file(global.database().ok()?)?;
    let (other, batches) = find_other(&used)?;
    let url = format!("sqlite://{}", other.display());
    Some(format!(
        "{} next to it has {}: enqueue --database-url {url} status",
        other.display(),
        count(batches, "batch")
    ))
}

/// Finds a database of another usual name in the same folder, with batches in it.
fn find_other(used: &Path) -> Option<(PathBuf, i64)> {
    USUAL_NAMES.iter().map(|name| used.with_file_name(name)).find_map(|other| {
        let batches = (other != used && other.is_file()).then(|| batches_in(&other)).flatten();
        Some((other, batches.filter(|n| *n > 0)?))
    })
}
