//! Runs each fuzz target on its seeds, and on the inputs that a fuzzer left in its corpus here. An input that broke a
//! promise becomes a seed.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use fuzzing::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_input_keeps_the_promises() {
    for target in TARGETS {
        let seeds = inputs(&fuzz().join("seeds").join(target.name));
        assert!(!seeds.is_empty(), "fuzz/seeds/{} is missing", target.name);
        for path in seeds.into_iter().chain(inputs(&fuzz().join("corpus").join(target.name))) {
            // An input that fails is named before its panic.
            println!("{}", path.display());
            (target.holds)(&fs::read(&path).unwrap());
        }
    }
}

#[test]
fn every_target_is_run_by_a_fuzzer() {
    let mut files: Vec<String> = inputs(&fuzz().join("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut names: Vec<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}
