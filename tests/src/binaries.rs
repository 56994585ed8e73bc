//! Where the programs under test are.

use std::path::{Path, PathBuf};

/// The program `name` of this build: next to the test executable, or in `CARGO_TARGET_DIR`.
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this executable has a path");
    let mut places: Vec<PathBuf> =
        this.ancestors().skip(1).take(2).map(|directory| directory.join(name)).collect();
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        places.push(Path::new(&target).join("debug").join(name));
    }
    let found = places.iter().find(|place| place.is_file());
    found.cloned().unwrap_or_else(|| {
        panic!("no {name} in {places:?}; build it first: cargo build -p worker -p enqueue")
    })
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}
