use std::io::{self, Read};
use std::sync::Arc;

use super::error::{InputError, Refusal, RowError};
use super::lines::{self, LineEnd, Window};
use super::row::BadRow;
use super::source::{Format, Source};
use super::workbook;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// The first bytes of a zip archive, which a workbook is.
const WORKBOOK: &[u8] = b"PK\x03\x04";

/// A source that is being read.
pub struct InputFile {
    /// Its place among the sources.
    pub place: usize,
    /// The source.
    pub source: Source,
    /// The name that errors use.
    pub name: Arc<str>,
    /// The part of the file that is held.
    pub window: Window<Box<dyn Read + Send>>,
    /// Whether it began with a byte order mark.
    pub has_bom: bool,
    /// What separates the fields of a CSV file.
    pub separator: u8,
    /// The header of a CSV file with the end of its line, unchanged.
    pub header: Vec<u8>,
    /// The physical line on which the header begins.
    pub header_line: u64,
    /// The sheet that is read, if the file is a workbook.
    pub sheet: Option<SheetName>,
}

/// Which sheet of a workbook is read.
#[derive(Debug, Clone)]
pub struct SheetName {
    /// Its name.
    pub name: String,
    /// How many sheets the workbook has.
    pub of: usize,
}

impl InputFile {
    /// Reads the beginning of `reader` and refuses a file that holds no table. Of a workbook, reads the sheet of this
    /// name, or else the first.
    pub fn new(
        place: usize,
        source: Source,
        reader: Box<dyn Read + Send>,
        sheet: Option<&str>,
    ) -> Result<Self, InputError> {
        let name = source.name();
        let mut file = InputFile {
            place,
            source,
            name,
            window: Window::new(reader),
            has_bom: false,
            separator: b',',
            header: Vec::new(),
            header_line: 1,
            sheet: None,
        };
        file.at_least(8)?;
        if file.bytes().starts_with(WORKBOOK) {
            return file.of_workbook(sheet);
        }
        if sheet.is_some() {
            return Err(file.refused(Refusal::NoWorkbook));
        }
        while file.bytes().starts_with(BOM) {
            file.has_bom = true;
            file.window.skip(BOM.len());
            file.at_least(8)?;
        }
        if file.first_visible()?.is_none() {
            return Err(file.refused(Refusal::Empty));
        }
        file.at_least(64)?;
        if let Some(refusal) = foreign(file.bytes()) {
            return Err(file.refused(refusal));
        }
        Ok(file)
    }

    fn of_workbook(self, sheet: Option<&str>) -> Result<Self, InputError> {
        let InputFile { place, source, name, window, .. } = self;
        let sheet =
            workbook::read(window.into_inner(), sheet).map_err(|problem| match problem {
                workbook::Problem::Refused(refusal) => {
                    InputError::Refused { name: name.clone(), line: 1, refusal }
                }
                workbook::Problem::Io(error) => {
                    InputError::Unreadable { name: name.clone(), error }
                }
            })?;
        let mut file = InputFile {
            place,
            source,
            name,
            window: Window::of_rows(Box::new(sheet.csv)),
            has_bom: false,
            separator: b',',
            header: Vec::new(),
            header_line: 1,
            sheet: Some(SheetName { name: sheet.name, of: sheet.of }),
        };
        if file.first_visible()?.is_none() {
            return Err(file.refused(Refusal::Empty));
        }
        Ok(file)
    }

    /// The format by name, else (standard input) by the first byte that is not blank.
    pub fn format(&mut self) -> Result<Format, InputError> {
        match self.source.format_by_name() {
            _ if self.sheet.is_some() => Ok(Format::Csv),
            Some(format) => Ok(format),
            None if self.first_visible()? == Some(b'{') => Ok(Format::Jsonl),
            None => Ok(Format::Csv),
        }
    }

    fn first_visible(&mut self) -> Result<Option<u8>, InputError> {
        loop {
            let visible = self.bytes().iter().find(|byte| !byte.is_ascii_whitespace()).copied();
            if visible.is_some() || self.window.ended() || self.window.is_full() {
                return Ok(visible);
            }
            self.more()?;
        }
    }

    /// The bytes that are held and not passed yet.
    pub fn bytes(&self) -> &[u8] {
        self.window.bytes()
    }

    /// Reads more of the file.
    pub fn more(&mut self) -> Result<(), InputError> {
        self.window.more().map_err(|error| self.unreadable(error))
    }

    fn at_least(&mut self, length: usize) -> Result<(), InputError> {
        while self.bytes().len() < length && !self.window.ended() {
            self.more()?;
        }
        Ok(())
    }

    /// The end of the next physical line; None at the end of the file.
    pub fn first_line(&mut self) -> Result<Option<LineEnd>, InputError> {
        loop {
            if self.window.ended() && self.bytes().is_empty() {
                return Ok(None);
            }
            match lines::line_end(self.bytes(), 0, self.window.ended()) {
                Some(end) => return Ok(Some(end)),
                None if self.window.is_full() => return Err(self.refused(Refusal::LineTooLong)),
                None => self.more()?,
            }
        }
    }

    /// Refuses the whole input for its present line.
    pub fn refused(&self, refusal: Refusal) -> InputError {
        InputError::Refused { name: self.name.clone(), line: self.window.line(), refusal }
    }

    fn unreadable(&self, error: io::Error) -> InputError {
        InputError::Unreadable { name: self.name.clone(), error }
    }

    /// A bad row at the present line.
    pub fn bad(&self, column: Option<String>, reason: RowError, raw: &[u8]) -> BadRow {
        BadRow {
            source: self.place,
            name: self.name.clone(),
            line: self.window.line(),
            column,
            reason,
            raw: raw.to_vec(),
            fields: String::new(),
        }
    }

    /// A bad row whose byte `at` is not UTF-8.
    pub fn not_utf8(&self, raw: &[u8], at: usize) -> BadRow {
        let before = &raw[..at];
        let line_start = memchr::memrchr2(b'\n', b'\r', before).map_or(0, |end| end + 1);
        let reason = RowError::NotUtf8 {
            line: self.window.line() + lines::line_ends(before),
            byte: at - line_start + 1,
            value: raw[at],
        };
        self.bad(None, reason, raw)
    }
}

/// Files that people give in place of a table, by their first bytes.
fn foreign(bytes: &[u8]) -> Option<Refusal> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(Refusal::Utf16),
        // UTF-16 without its mark: every other byte of a Latin text is zero.
        [_, 0, _, 0, ..] | [0, _, 0, _, ..] => return Some(Refusal::Utf16),
        [0x1f, 0x8b, ..] => return Some(Refusal::Binary("compressed with gzip")),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            return Some(Refusal::Binary("an old Excel workbook (.xls), or one with a password"));
        }
        [b'%', b'P', b'D', b'F', ..] => return Some(Refusal::Binary("a PDF document")),
        [b'{', b'\\', b'r', b't', b'f', ..] => return Some(Refusal::Binary("an RTF document")),
        _ => {}
    }
    let text = bytes.trim_ascii_start();
    let begins = |word: &str| {
        text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
    };
    if begins("<!doctype html") || begins("<html") || begins("<table") || begins("<head") {
        return Some(Refusal::Binary("a web page (HTML)"));
    }
    begins("<?xml").then_some(Refusal::Binary("XML"))
}
