//! Import cycles among the files of a crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::Source;

/// Returns the groups of files that import each other in a cycle, directly or indirectly; sorted.
pub fn circles(source: &Source) -> Vec<Vec<String>> {
    let direct: BTreeMap<&str, BTreeSet<String>> = source
        .files()
        .filter(|file| !Source::is_root(file))
        .map(|file| (file, source.imports(file).into_iter().filter_map(|one| one.file).collect()))
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        direct.keys().map(|file| (*file, reach(&direct, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, behind) in &reached {
        if behind.contains(file) {
            let back = behind.iter().filter(|other| reached[*other].contains(file));
            circles.insert(back.map(|&other| other.to_owned()).collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

/// Returns all files that `file` imports, directly or indirectly.
fn reach<'a>(direct: &'a BTreeMap<&str, BTreeSet<String>>, file: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![file]);
    while let Some(file) = open.pop() {
        for next in direct.get(file).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}
