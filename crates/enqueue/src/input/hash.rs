use sha2::{Digest, Sha256};

use super::row::Row;

/// A fingerprint of the content that is enqueued: of the options and the good rows, not of how the file is written
/// (its name, separator, line ends, quotes). Equal fingerprints mean the same batch.
#[derive(Debug, Clone, Default)]
pub struct ContentHasher(Sha256);

impl ContentHasher {
    /// Starts the fingerprint, with no content yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an option that changes the result. Options must always come in the same order.
    pub fn option(&mut self, name: &str, value: &str) {
        self.0.update(b"o");
        self.text(name);
        self.text(value);
    }

    /// Takes in [`super::Reader::columns`].
    pub fn columns(&mut self, columns: &[String]) {
        self.0.update(b"c");
        self.number(columns.len());
        columns.iter().for_each(|name| self.text(name));
    }

    /// Takes in the next good row.
    pub fn row(&mut self, row: &Row) {
        self.0.update(b"r");
        self.number(row.waterfall.len());
        row.waterfall.iter().for_each(|provider| self.text(provider.as_str()));
        self.number(row.identifiers.iter().count());
        for identifier in row.identifiers.iter() {
            self.text(identifier.kind().as_str());
            self.text(identifier.value());
        }
        self.text(&row.fields);
    }

    /// The fingerprint in hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Hashes the length first; otherwise ("ab", "c") would be equal to ("a", "bc").
    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.update(text);
    }

    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_le_bytes());
    }
}
