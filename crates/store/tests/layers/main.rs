//! How the code is laid out. In the ledger each area imports only from the areas below it; nothing else stands at its top;
//! folders stay small; and in no crate do files import each other in a circle.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests say what they expect by panicking, and are described by their names"
)]

mod circles;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use circles::circles;
use imports::Source;

/// What stands at the top of the ledger, areas and single files, each with what it may import, from the bottom up.
const ROOMS: [(&str, &[&str]); 17] = [
    ("error", &[]),
    ("actor", &[]),
    ("db", &["error"]),
    ("decode", &["error"]),
    ("store", &["actor", "db", "error"]),
    ("audit", &["actor", "db", "error", "store"]),
    ("settings", &["audit", "db", "error", "store"]),
    ("gates", &["audit", "db", "decode", "error", "store"]),
    ("reveals", &["db", "decode", "error"]),
    ("people", &["actor", "audit", "db", "decode", "error", "reveals", "store"]),
    ("results", &["audit", "db", "decode", "error", "gates", "people", "reveals", "store"]),
    ("workers", &["db", "decode", "error", "gates", "store"]),
    ("calls", &["db", "decode", "error", "gates", "people", "results", "reveals", "store"]),
    ("batches", &["audit", "db", "decode", "error", "people", "results", "reveals", "store"]),
    (
        "privacy",
        &[
            "audit", "batches", "calls", "db", "decode", "error", "gates", "people", "results",
            "reveals", "settings", "store",
        ],
    ),
    (
        "reports",
        &[
            "audit", "batches", "calls", "db", "decode", "error", "gates", "people", "results",
            "reveals", "settings", "store",
        ],
    ),
    // What other crates see.
    ("lib", &[]),
];

/// How many files a folder may hold. A file with a folder of its own name counts as one of that folder's.
const MOST_FILES: usize = 15;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn ledger() -> Source {
    Source::read(&workspace().join("crates/store/src"))
}

/// The room that a file stands in.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

#[test]
fn areas_import_only_from_below() {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let source = ledger();
    let mut wrong = Vec::new();
    for file in source.files().filter(|file| *file != "lib") {
        for import in source.imports(file) {
            let (from, path) = (room(file), import.path.join("::"));
            let Some(to) = &import.file else {
                wrong.push(format!("{file}.rs imports {path}, which no file below lib.rs defines"));
                continue;
            };
            let allowed = rooms.get(from).is_some_and(|allowed| allowed.contains(&room(to)));
            if from != room(to) && !allowed {
                wrong
                    .push(format!("{file}.rs imports {path}, but {from} may not use {}", room(to)));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that go the wrong way; move what is wanted to the lower area, or the user of it to the higher one \
         (ROOMS in this test holds what is allowed):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn rooms_are_listed_from_the_bottom_up() {
    let mut below = BTreeSet::new();
    for (room, allowed) in ROOMS {
        let above: Vec<_> = allowed.iter().filter(|one| !below.contains(*one)).collect();
        assert!(above.is_empty(), "{room} may use {above:?}, which stand above it");
        below.insert(room);
    }
}

#[test]
fn nothing_else_stands_at_the_top() {
    let source = ledger();
    let listed: BTreeSet<&str> = ROOMS.into_iter().map(|(room, _)| room).collect();
    let found: BTreeSet<&str> = source.files().map(room).collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    assert!(
        unlisted.is_empty(),
        "crates/store/src: {unlisted:?} belong into an area; a new area needs a line in ROOMS of this test"
    );
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "ROOMS lists what is not there: {gone:?}");
}

#[test]
fn folders_stay_small() {
    let source = ledger();
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in source.files() {
        let inside = format!("{file}/");
        let has_folder = source.files().any(|other| other.starts_with(&inside));
        let folder =
            if has_folder { file } else { file.rsplit_once('/').map_or("", |(folder, _)| folder) };
        folders.entry(folder).or_default().push(file);
    }
    for (folder, files) in folders {
        assert!(
            files.len() <= MOST_FILES,
            "crates/store/src/{folder} holds {} files, more than {MOST_FILES}; part it: {files:?}",
            files.len()
        );
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let workspace = workspace();
    let mut found: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    let crates = std::fs::read_dir(workspace.join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path()).chain([workspace.join("bench")]);
    for path in crates {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = Source::read(&path.join("src"));
        found.extend(circles(&source).into_iter().map(|circle| (name.clone(), circle)));
    }
    assert!(
        found.is_empty(),
        "these files import each other in a circle; move what two of them share to a file below both: {found:#?}"
    );
}
