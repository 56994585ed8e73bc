//! Checks the layout of the code. In the ledger, each area imports only from the areas below it, and nothing else is at
//! the top. Folders stay small. In no crate do files import each other in a cycle.

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

/// The areas and single files at the top of the ledger, from the bottom up, each with the areas that it may import.
const ROOMS: [(&str, &[&str]); 21] = [
    ("error", &[]),
    ("actor", &[]),
    ("schema", &[]),
    ("topic", &[]),
    ("low_mark", &[]),
    ("decode", &["error"]),
    ("store", &["actor", "error", "schema", "topic"]),
    ("audit", &["actor", "error", "store"]),
    ("settings", &["audit", "error", "store"]),
    ("gates", &["audit", "decode", "error", "store", "topic"]),
    ("reveals", &["decode", "error", "topic"]),
    ("people", &["actor", "audit", "decode", "error", "reveals", "store", "topic"]),
    (
        "results",
        &["audit", "decode", "error", "gates", "low_mark", "people", "reveals", "store", "topic"],
    ),
    ("workers", &["decode", "error", "gates", "store", "topic"]),
    (
        "calls",
        &["decode", "error", "gates", "low_mark", "people", "results", "reveals", "store", "topic"],
    ),
    (
        "batches",
        &["audit", "decode", "error", "gates", "people", "results", "reveals", "store", "topic"],
    ),
    (
        "privacy",
        &[
            "audit", "batches", "calls", "decode", "error", "gates", "people", "results",
            "reveals", "settings", "store", "topic",
        ],
    ),
    (
        "reports",
        &[
            "audit", "batches", "calls", "decode", "error", "gates", "people", "results",
            "reveals", "settings", "store",
        ],
    ),
    ("sweep", &["batches", "calls", "error", "store", "workers"]),
    // A test of statements from several areas.
    ("old_versions", &["gates", "reveals", "store"]),
    // The public interface for other crates.
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

/// The room of a file.
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

/// Another area's operations are reached through its handle, which needs no import.
#[test]
fn areas_use_the_handles_of_areas_below() {
    let src = workspace().join("crates/store/src");
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let source = ledger();
    let mut wrong = Vec::new();
    for file in source.files() {
        let text = std::fs::read_to_string(src.join(file).with_extension("rs")).unwrap();
        let from = room(file);
        let allowed = rooms.get(from).copied().unwrap_or_default();
        let used = rooms.keys().filter(|area| text.contains(&format!("store.{area}()")));
        wrong.extend(
            used.filter(|area| **area != from && **area != "actor" && !allowed.contains(area))
                .map(|area| format!("{file}.rs uses the handle of {area}")),
        );
        let adds = text.lines().filter(|line| *line == "impl Store {").count();
        if adds > usize::from(!file.contains('/')) {
            wrong.push(format!("{file}.rs adds methods to Store; its area's handle takes them"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_are_listed_from_the_bottom_up() {
    let mut below = BTreeSet::new();
    for (room, allowed) in ROOMS {
        let above: Vec<_> = allowed.iter().filter(|one| !below.contains(*one)).collect();
        assert!(above.is_empty(), "{room} may use {above:?}, which are above it");
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

/// Words for the contents of the database, which must not occur in the crate `db`.
const NOT_OF_THE_DATABASE: [&str; 16] = [
    "batch",
    "batches",
    "claim",
    "claims",
    "credits",
    "gate",
    "gates",
    "ledger",
    "phone",
    "phones",
    "provider",
    "providers",
    "reveal",
    "reveals",
    "webhook",
    "webhooks",
];

#[test]
fn the_database_knows_nothing_of_what_is_kept_in_it() {
    let mut found = Vec::new();
    for path in rust_files(&workspace().join("crates/db/src")) {
        let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        found.extend(
            words
                .filter(|word| NOT_OF_THE_DATABASE.contains(word))
                .map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(found.is_empty(), "what is about these belongs into crates/store: {found:#?}");
}

/// A file that no module declares is never compiled: tests in it would seem to pass.
#[test]
fn every_file_is_a_module() {
    let mut lost = Vec::new();
    for path in crates() {
        let src = path.join("src");
        for file in rust_files(&src) {
            let folder = file.parent().unwrap();
            let name = file.file_stem().unwrap().to_string_lossy();
            let (name, folder) = match &*name {
                "lib" | "main" => continue,
                "mod" => (folder.file_name().unwrap().to_string_lossy(), folder.parent().unwrap()),
                _ => (name, folder),
            };
            let mut parents = vec![folder.join("mod.rs"), folder.with_extension("rs")];
            if folder == src {
                parents = vec![folder.join("lib.rs"), folder.join("main.rs")];
            }
            let declared = parents
                .iter()
                .filter_map(|parent| std::fs::read_to_string(parent).ok())
                .any(|text| text.lines().any(|line| declares(line, &name)));
            if !declared {
                lost.push(file);
            }
        }
    }
    assert!(lost.is_empty(), "no module declares these files: {lost:#?}");
}

/// Whether a line of code declares `mod name;`, with any visibility or attribute.
fn declares(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line =
        line.rsplit_once("mod ").filter(|(before, _)| !before.contains("//")).map(|(_, rest)| rest);
    line.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with(';'))
}

/// All Rust files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files
}

/// The folders of all crates.
fn crates() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(workspace().join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path());
    crates.chain([workspace().join("bench"), workspace().join("tests")]).collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut found: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    // The end-to-end tests' harness is one unit in several files.
    for path in crates().into_iter().filter(|path| !path.ends_with("tests")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = Source::read(&path.join("src"));
        found.extend(circles(&source).into_iter().map(|circle| (name.clone(), circle)));
    }
    assert!(
        found.is_empty(),
        "these files import each other in a circle; move what two of them share to a file below both: {found:#?}"
    );
}

/// When a newer version adds columns, Postgres keeps refusing a prepared statement whose `*` has grown.
#[test]
fn statements_name_their_columns() {
    let src = workspace().join("crates/store/src");
    let source = ledger();
    let mut wrong = Vec::new();
    for file in source.files() {
        let path = src.join(file).with_extension("rs");
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let all = ["SELECT *", "RETURNING *"].iter().any(|all| line.contains(all));
            let words = line.split([' ', '(']).filter(|_| !line.trim_start().starts_with("//"));
            if all || words.map(|word| word.trim_end_matches(',')).any(|word| word.ends_with(".*"))
            {
                wrong.push(format!("{file}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
