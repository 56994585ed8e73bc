//! Checks that links and paths have a target.

use std::path::{Path, PathBuf};

use end_to_end::repository;

use crate::markdown::Page;
use crate::{files, pages};

/// Folders at the top; a span of code that begins with one of them is a path.
const TOPS: [&str; 8] =
    ["bench/", "crates/", "deploy/", "docs/", "examples/", "migrations/", "scripts/", "tests/"];

/// The provider that docs/adding-a-provider.md invents.
const INVENTED: &str = "acme";

#[test]
fn links_lead_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        let folder = page.path.parent().unwrap();
        for link in page.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.path.clone() } else { folder.join(file) };
            let known = target.exists()
                && (anchor.is_empty() || Page::read(&target).anchors().iter().any(|a| a == anchor));
            if !known {
                broken.push(format!("{}: {link}", page.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn paths_exist() {
    let mut missing = Vec::new();
    for page in pages() {
        for span in page.spans() {
            let path = span.split([' ', ':', '*', '<', '…']).next().unwrap_or_default();
            let is_path = TOPS.iter().any(|top| path.starts_with(top));
            if is_path && !path.contains(INVENTED) && !exists(&page, path) {
                missing.push(format!("{}: {span}", page.name));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Checks names of files such as `calls/claim.rs`, which stand for the file whose path ends like this.
#[test]
fn files_exist() {
    let all: Vec<PathBuf> =
        ["rs", "sql"].iter().flat_map(|kind| files(&repository(), kind)).collect();
    let mut missing = Vec::new();
    for page in pages() {
        for span in page.spans().into_iter().filter(|span| !span.contains(INVENTED)) {
            let is_file = span.ends_with(".rs") || span.ends_with(".sql");
            if is_file && !span.contains(['*', ' ']) && !all.iter().any(|path| path.ends_with(span))
            {
                missing.push(format!("{}: {span}", page.name));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whether a path exists from the top of the repository or from the page's folder.
fn exists(page: &Page, path: &str) -> bool {
    let from = |folder: &Path| folder.join(path).exists();
    from(&repository()) || from(page.path.parent().unwrap())
}
