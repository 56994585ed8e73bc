//! Texts of deleted rows, to be searched for where a database may have kept them.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

/// A shorter text may occur anywhere.
const SHORTEST: usize = 4;

/// Of a long text so much is enough: what is longer may be kept in pieces.
const LONGEST: usize = 120;

/// More texts than these are not looked for: as much was deleted, so the file is packed anyway.
const MOST: usize = 20_000;

/// Texts of rows that are gone, as they were stored. Prints none of them.
#[derive(Clone, Default)]
pub struct Traces(BTreeSet<String>);

/// What was found of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrubbed {
    /// They are gone.
    Clean,
    /// They are gone since the file was rewritten.
    Packed,
    /// Another program keeps the log or the file.
    InUse,
    /// The server's statistics still hold them: this user may not collect them again.
    InStatistics,
}

impl Traces {
    /// Adds one, if it is long enough to be distinguished from others.
    pub fn add(&mut self, text: &str) {
        if text.len() < SHORTEST || self.0.len() > MOST {
            return;
        }
        let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        self.0.insert(text[..end.unwrap_or_default()].to_owned());
    }

    /// Adds those of others.
    pub fn merge(&mut self, others: Traces) {
        for text in others.0 {
            self.add(&text);
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// What finds them; none where they are too many.
    #[must_use]
    pub fn texts(&self) -> Option<AhoCorasick> {
        let some = self.0.len() <= MOST;
        some.then(|| AhoCorasick::builder().build(&self.0).ok()).flatten()
    }
}

impl std::fmt::Debug for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Traces({} texts)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_short_ones_left_out() {
        let mut traces = Traces::default();
        for text in ["abc", "abcd", &"ä".repeat(200)] {
            traces.add(text);
        }
        let texts = traces.texts().unwrap();
        assert!(texts.is_match("xabcdx") && texts.is_match(&"ä".repeat(60)));
        assert!(!texts.is_match("abc"));
        assert_eq!(format!("{traces:?}"), "Traces(2 texts)");
    }

    #[test]
    fn too_many_are_not_looked_for() {
        let mut traces = Traces::default();
        (0..=MOST + 5).for_each(|n| traces.add(&format!("person {n}")));
        assert!(traces.texts().is_none());
    }
}
