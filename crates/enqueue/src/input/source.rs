use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::error::InputError;

/// Where people are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input, `-` on the command line.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// The format in which people are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (or semicolons, tabs, bars) with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {0:?}; known are csv and jsonl")]
pub struct UnknownFormat(pub String);

impl Source {
    /// Reads an argument of the command line: a path, or `-`.
    #[must_use]
    pub fn from_arg(arg: &OsStr) -> Self {
        if arg == "-" { Source::Stdin } else { Source::File(PathBuf::from(arg)) }
    }

    /// The name that errors use: the path as given, or `<stdin>`.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Source::Stdin => Arc::from("<stdin>"),
            Source::File(path) => Arc::from(path.to_string_lossy()),
        }
    }

    /// The format that the name promises; None for standard input, which has no name.
    #[must_use]
    pub fn format_by_name(&self) -> Option<Format> {
        match self {
            Source::Stdin => None,
            Source::File(path) => Some(by_extension(path)),
        }
    }

    /// The place where the source was looked for: the absolute path.
    fn place(&self) -> Arc<str> {
        match self {
            Source::Stdin => self.name(),
            Source::File(path) => std::path::absolute(path)
                .map_or_else(|_| self.name(), |p| p.to_string_lossy().into()),
        }
    }

    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, InputError> {
        let opened: io::Result<Box<dyn Read + Send>> = match self {
            Source::Stdin => Ok(Box::new(io::stdin())),
            Source::File(path) => File::open(path).map(|file| Box::new(file) as _),
        };
        opened.map_err(|error| InputError::Unreadable { name: self.place(), error })
    }
}

fn by_extension(path: &Path) -> Format {
    let extension = path.extension().unwrap_or_default();
    let is_jsonl = ["jsonl", "ndjson"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    if is_jsonl { Format::Jsonl } else { Format::Csv }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text.trim().to_ascii_lowercase().as_str() {
            "csv" => Ok(Format::Csv),
            "jsonl" | "ndjson" => Ok(Format::Jsonl),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}
