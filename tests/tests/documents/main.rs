//! Checks that everything the documents name exists: paths, links, commands, flags, log messages, words of the glossary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by panicking"
)]

mod commands; // commands and their flags, compared with the programs' help
mod markdown; // links, code and tables of a page
mod messages; // log messages, compared with the code
mod paths; // links and paths, compared with the repository

use std::path::{Path, PathBuf};

use end_to_end::repository;
use markdown::Page;

/// All pages of the repository.
fn pages() -> Vec<Page> {
    let documents = files(&repository(), "md");
    assert!(documents.len() > 10, "{documents:?}");
    documents.iter().map(|path| Page::read(path)).collect()
}

/// The files below a folder that end in `extension`, without the output of builds.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", ".git", "node_modules"].contains(&name.as_str()) {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
