//! The parts of a page that the tests check.

use std::path::{Path, PathBuf};

use end_to_end::repository;

/// A page of Markdown.
pub struct Page {
    pub path: PathBuf,
    /// Its path from the top of the repository.
    pub name: String,
    /// Its lines, and whether each is in a block of code.
    lines: Vec<(String, bool)>,
}

impl Page {
    pub fn read(path: &Path) -> Page {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(repository()).unwrap().display().to_string();
        Page { path: path.to_owned(), name, lines: with_blocks(&text) }
    }

    /// The targets of links within the repository.
    pub fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for line in self.prose() {
            // Code may look like a link.
            let text: String = line.split('`').step_by(2).collect();
            let parts = text.split("](").skip(1).filter_map(|part| part.split_once(')'));
            links.extend(parts.map(|(target, _)| target.to_owned()));
        }
        links.retain(|target| !target.contains("://") && !target.starts_with("mailto:"));
        links
    }

    /// The texts between backquotes in its prose.
    pub fn spans(&self) -> Vec<&str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    /// The lines of its blocks of code.
    pub fn code(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|(_, code)| *code).map(|(line, _)| line.as_str())
    }

    /// The lines of its prose.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|(_, code)| !code).map(|(line, _)| line.as_str())
    }

    /// The anchors of its headings.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

/// The anchor of a heading, as the usual renderers make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn with_blocks(text: &str) -> Vec<(String, bool)> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else {
            lines.push((line.to_owned(), inside));
        }
    }
    lines
}

#[test]
fn headings_have_the_names_that_links_use() {
    assert_eq!(anchor("Exit codes"), "exit-codes");
    assert_eq!(
        anchor("`HEARTBEAT_TIMEOUT`, and what it's for"),
        "heartbeat_timeout-and-what-its-for"
    );
}
