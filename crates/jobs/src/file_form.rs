use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The form of a submitted file of people, so that its results can be exported in the same form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileForm {
    /// The format of the file.
    pub format: FileFormat,
    /// The separator of the fields of a CSV file.
    pub separator: char,
    /// Whether the file began with a byte order mark.
    pub byte_order_mark: bool,
    /// How the file's lines end.
    pub line_end: LineEnd,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
}

/// The format of a file of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// CSV, with any separator.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// An Excel workbook.
    Xlsx,
}

/// A word that is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {0:?}; known are csv, jsonl and xlsx")]
pub struct UnknownFormat(pub String);

impl FromStr for FileFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text.trim().to_ascii_lowercase().as_str() {
            "csv" => Ok(FileFormat::Csv),
            "jsonl" | "ndjson" => Ok(FileFormat::Jsonl),
            "xlsx" => Ok(FileFormat::Xlsx),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

/// How the lines of a file end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineEnd {
    /// Line feed.
    Lf,
    /// Carriage return and line feed.
    CrLf,
    /// Carriage return.
    Cr,
}

impl FileForm {
    /// The plainest form of this format.
    #[must_use]
    pub fn new(format: FileFormat) -> Self {
        FileForm {
            format,
            separator: ',',
            byte_order_mark: false,
            line_end: LineEnd::Lf,
            sheet: None,
        }
    }
}

impl LineEnd {
    /// The characters themselves.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
            LineEnd::Cr => "\r",
        }
    }
}
