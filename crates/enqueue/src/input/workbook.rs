use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use calamine::{Cell, DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxError};

use super::error::{Names, Refusal};

/// A sheet of a workbook as CSV: one line a row, the empty ones too, so that the lines have the
/// numbers of the rows.
pub struct Sheet {
    /// The sheet's name.
    pub name: String,
    /// How many sheets the workbook has.
    pub of: usize,
    /// What stands in it.
    pub csv: File,
}

/// Why a workbook gives no table.
pub enum Problem {
    /// The file is at fault.
    Refused(Refusal),
    /// The file, or the temporary one, can't be read or written.
    Io(io::Error),
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
            other => Problem::Refused(Refusal::Workbook(other.to_string())),
        }
    }
}

/// Writes out the sheet of this name, else the first that can be seen. A file, since a workbook is
/// read from its end, and may be larger than the memory.
pub fn read(mut source: impl Read, sheet: Option<&str>) -> Result<Sheet, Problem> {
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut source, &mut copy)?;
    copy.rewind()?;
    let mut workbook = Xlsx::new(BufReader::new(copy)).map_err(no_workbook)?;
    let names = sheets(&workbook);
    let Some(name) = names.iter().find(|name| sheet.is_none_or(|sheet| sheet == *name)) else {
        let sheet = sheet.unwrap_or_default().to_owned();
        return Err(Problem::Refused(Refusal::NoSuchSheet { sheet, found: Names(names) }));
    };
    let mut csv = BufWriter::new(tempfile::tempfile()?);
    let mut cells = workbook.worksheet_cells_reader(name)?;
    let mut at = (0, 0);
    while let Some(cell) = cells.next_cell()? {
        write_cell(&mut csv, &mut at, &cell)?;
    }
    csv.write_all(b"\n")?;
    let mut csv = csv.into_inner().map_err(io::IntoInnerError::into_error)?;
    csv.rewind()?;
    Ok(Sheet { name: name.clone(), of: names.len(), csv })
}

/// The sheets that hold tables; those that are hidden last.
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

/// Goes on to the cell's place, and writes it. Cells come row by row.
fn write_cell(
    csv: &mut impl Write,
    at: &mut (u32, u32),
    cell: &Cell<DataRef<'_>>,
) -> io::Result<()> {
    let (row, column) = cell.get_position();
    let text = text(cell.get_value());
    if text.is_empty() {
        return Ok(());
    }
    while at.0 < row {
        csv.write_all(b"\n")?;
        *at = (at.0 + 1, 0);
    }
    while at.1 < column {
        csv.write_all(b",")?;
        at.1 += 1;
    }
    csv.write_all(b"\"")?;
    csv.write_all(text.replace('"', "\"\"").as_bytes())?;
    csv.write_all(b"\"")
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
