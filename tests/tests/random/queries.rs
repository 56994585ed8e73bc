//! The ledger's own checks: queries that return a row for each fault. The store's conformance
//! suite runs those of `always`, too.

use std::path::Path;

use end_to_end::{Scene, repository};

/// Runs every query of a folder; returns a message for each fault.
pub async fn ask(scene: &Scene, folder: &str) -> Vec<String> {
    let folder = repository().join("crates/store/tests/checks").join(folder);
    let mut faults = Vec::new();
    for (name, sql) in queries(&folder) {
        for problem in scene.db.column(&sql).await {
            faults.push(format!("{name}: {problem}"));
        }
    }
    faults
}

fn queries(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut queries: Vec<(String, String)> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().replace('_', " ");
            (name, std::fs::read_to_string(&path).expect("text"))
        })
        .collect();
    queries.sort_unstable();
    queries
}
