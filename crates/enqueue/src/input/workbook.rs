/// Limits of what a workbook may hold.
mod limits;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Cell, DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use jobs::words::harmless;

use super::error::{Names, Refusal};

/// The most rows and columns of a sheet in Excel.
const ROWS: u32 = 1_048_576;
const COLUMNS: u32 = 16_384;

/// The most bytes of a sheet as CSV: a sheet of single cells at the far ends of rows is nearly all separators.
const LARGEST_CSV: u64 = 4 << 30;

/// A sheet of a workbook as CSV: one line a row, the empty ones too, so that the lines have the
/// numbers of the rows.
pub struct Sheet {
    /// The sheet's name.
    pub name: String,
    /// How many sheets the workbook has.
    pub of: usize,
    /// The sheet's cells as CSV.
    pub csv: File,
}

/// Why a workbook gives no table.
pub enum Problem {
    /// The file is at fault.
    Refused(Refusal),
    /// The file, or the temporary one, can't be read or written.
    Io(io::Error),
}

impl Problem {
    /// Refuses an unreadable file. The library's message may quote the file, so it is made harmless.
    fn unreadable(why: &str) -> Self {
        Problem::Refused(Refusal::Workbook(harmless(why).into_owned()))
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Problem::Io(error)
    }
}

impl From<XlsxError> for Problem {
    fn from(error: XlsxError) -> Self {
        match error {
            XlsxError::Io(error) => Problem::Io(error),
            other => Problem::unreadable(&other.to_string()),
        }
    }
}

/// Writes out the sheet of this name, or else the first visible one. Works on files, since a workbook is read from
/// its end and may be larger than the memory.
pub fn read(mut source: impl Read, sheet: Option<&str>) -> Result<Sheet, Problem> {
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut source, &mut copy)?;
    if let Some(reason) = limits::exceeded(&mut copy)? {
        return Err(Problem::unreadable(&reason));
    }
    copy.rewind()?;
    // A panic of the library is the file's fault: the file is refused like any other that can't be read.
    catch_unwind(AssertUnwindSafe(|| as_csv(copy, sheet)))
        .unwrap_or_else(|_| Err(Problem::unreadable("its parts contradict each other")))
}

fn as_csv(copy: File, sheet: Option<&str>) -> Result<Sheet, Problem> {
    let mut workbook = Xlsx::new(BufReader::new(copy)).map_err(no_workbook)?;
    let names = sheets(&workbook);
    let Some(name) = names.iter().find(|name| sheet.is_none_or(|sheet| sheet == *name)) else {
        let sheet = sheet.unwrap_or_default().to_owned();
        return Err(Problem::Refused(Refusal::NoSuchSheet { sheet, found: Names(names) }));
    };
    let mut cells = workbook.worksheet_cells_reader(name)?;
    let mut grid = Grid::new(BufWriter::new(tempfile::tempfile()?));
    while let Some(cell) = cells.next_cell()? {
        grid.write(&cell)?;
    }
    grid.csv.write_all(b"\n")?;
    let mut csv = grid.csv.into_inner().map_err(io::IntoInnerError::into_error)?;
    csv.rewind()?;
    Ok(Sheet { name: name.clone(), of: names.len(), csv })
}

/// The sheets that hold tables, hidden ones last.
fn sheets<R: Read + Seek>(workbook: &Xlsx<R>) -> Vec<String> {
    let tables =
        workbook.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let (seen, hidden): (Vec<_>, Vec<_>) =
        tables.partition(|sheet| sheet.visible == SheetVisible::Visible);
    seen.into_iter().chain(hidden).map(|sheet| sheet.name.clone()).collect()
}

fn no_workbook(error: XlsxError) -> Problem {
    match error {
        XlsxError::FileNotFound(_) => {
            Problem::Refused(Refusal::Binary("a zip archive, but no Excel workbook (.xlsx)"))
        }
        other => other.into(),
    }
}

/// Cells as they are written out.
struct Grid<W> {
    csv: W,
    /// The row that is being written, and the column of its last cell.
    row: u32,
    column: u32,
    /// Whether that column holds a cell already.
    taken: bool,
    written: u64,
}

impl<W: Write> Grid<W> {
    fn new(csv: W) -> Self {
        Grid { csv, row: 0, column: 0, taken: false, written: 0 }
    }

    /// Goes on to the cell's place, and writes the cell. Cells come row by row; otherwise it would not be known which
    /// of two cells is in a place.
    fn write(&mut self, cell: &Cell<DataRef<'_>>) -> Result<(), Problem> {
        let text = text(cell.get_value());
        if text.is_empty() {
            return Ok(());
        }
        let (row, column) = cell.get_position();
        if row >= ROWS || column >= COLUMNS {
            return Err(Problem::unreadable("a cell is outside of the sheet"));
        }
        let is_behind = (row, column) > (self.row, self.column);
        if !is_behind && (self.taken || (row, column) != (self.row, self.column)) {
            return Err(Problem::unreadable("its cells are not in order"));
        }
        if row > self.row {
            self.repeat(b'\n', row - self.row)?;
            (self.row, self.column) = (row, 0);
        }
        self.repeat(b',', column - self.column)?;
        (self.column, self.taken) = (column, true);
        let quoted = format!("\"{}\"", text.replace('"', "\"\""));
        self.push(quoted.as_bytes())
    }

    fn repeat(&mut self, byte: u8, times: u32) -> Result<(), Problem> {
        (0..times).try_for_each(|_| self.push(&[byte]))
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.written += bytes.len() as u64;
        if self.written > LARGEST_CSV {
            return Err(Problem::unreadable("the sheet is larger than 4 GiB as CSV"));
        }
        Ok(self.csv.write_all(bytes)?)
    }
}

/// A cell as people see it.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_text(*number),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(at) => date_text(at),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.replacen('T', " ", 1),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

/// Excel keeps 15 digits of a number. A longer one is shown as Excel shows it in a cell, since
/// zeros in place of the lost digits would be another person's id.
fn number_text(number: f64) -> String {
    const FIRST_ROUNDED: f64 = 1e15;
    if number.abs() < FIRST_ROUNDED {
        return number.to_string();
    }
    let text = format!("{number:.14e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    format!("{mantissa}E+{exponent}")
}

fn date_text(at: &ExcelDateTime) -> String {
    if at.is_duration() {
        let seconds = (at.as_f64() * 86_400.0).round().max(0.0) as u64;
        return format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    match (at.as_f64() < 1.0, time.as_str()) {
        // A time of day alone.
        (true, _) => time,
        (false, "00:00:00") => date,
        (false, _) => format!("{date} {time}"),
    }
}

#[cfg(test)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTimeType};

    use super::*;

    fn grid(cells: &[(u32, u32, &str)]) -> Option<String> {
        let mut grid = Grid::new(Vec::new());
        for (row, column, text) in cells {
            grid.write(&Cell::new((*row, *column), DataRef::String((*text).to_owned()))).ok()?;
        }
        String::from_utf8(grid.csv).ok()
    }

    #[test]
    fn cells_go_to_their_places() {
        let csv = grid(&[(0, 1, "a"), (0, 2, "\""), (2, 0, "b"), (2, 2, "c")]);
        assert_eq!(csv.as_deref(), Some(",\"a\",\"\"\"\"\n\n\"b\",,\"c\""));
        assert_eq!(grid(&[(0, 0, "a")]).as_deref(), Some("\"a\""));
        assert!(grid(&[(ROWS - 1, COLUMNS - 1, "a")]).is_some());
    }

    /// Two ids written one after the other would be the id of a third person.
    #[test]
    fn two_cells_are_never_one() {
        assert_eq!(grid(&[(0, 0, "a"), (0, 0, "b")]), None);
        assert_eq!(grid(&[(0, 1, "a"), (0, 0, "b")]), None);
        assert_eq!(grid(&[(1, 0, "a"), (0, 5, "b")]), None);
        assert_eq!(grid(&[(0, COLUMNS, "a")]), None);
        assert_eq!(grid(&[(ROWS, 0, "a")]), None);
    }

    #[test]
    fn cells_come_as_people_see_them() {
        let date = |value| {
            DataRef::DateTime(ExcelDateTime::new(value, ExcelDateTimeType::DateTime, false))
        };
        let table = [
            (DataRef::Float(42.0), "42"),
            (DataRef::Float(0.5), "0.5"),
            (DataRef::Float(123_456_789_012_345.0), "123456789012345"),
            (DataRef::Float(2_751_275_603_503_088_159.0), "2.75127560350309E+18"),
            (DataRef::Float(3e18), "3E+18"),
            (DataRef::Bool(true), "TRUE"),
            (DataRef::Error(CellErrorType::NA), "#N/A"),
            (date(45_943.0), "2025-10-13"),
            (date(45_943.5), "2025-10-13 12:00:00"),
            (date(0.25), "06:00:00"),
            (DataRef::Empty, ""),
        ];
        for (value, expected) in table {
            assert_eq!(text(&value), expected, "{value:?}");
        }
    }
}
