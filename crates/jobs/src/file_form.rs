use serde::{Deserialize, Serialize};

/// The form in which a file of people came, so that it can leave in the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileForm {
    /// Its format.
    pub format: FileFormat,
    /// What separates the fields of CSV.
    pub separator: char,
    /// Whether it began with a byte order mark.
    pub byte_order_mark: bool,
    /// How its lines end.
    pub line_end: LineEnd,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
}

/// The format of a file of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Comma-separated values, whatever separates them.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// An Excel workbook.
    Xlsx,
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
