use std::io::Write;

use rust_xlsxwriter::{Format, IgnoreError, Workbook, Worksheet, XlsxError};
use store::ExportRow;

use crate::Layout;
use crate::added::{self, Value};
use crate::kept::{self, UnreadableFields};

/// The most rows that a sheet has after its header.
pub const MOST_ROWS: i64 = 1_048_575;
/// The most columns that a sheet has.
const MOST_COLUMNS: usize = 16_384;
/// The most characters that a cell has, in UTF-16.
const LONGEST: usize = 32_767;

/// Why a row can't be written to a workbook.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The ledger's copy of the row is broken.
    #[error(transparent)]
    Fields(#[from] UnreadableFields),
    /// More columns than a sheet has.
    #[error(
        "a sheet has at most 16,384 columns, and this batch has {0}; write CSV by --format csv"
    )]
    Columns(usize),
    /// A text that is longer than Excel allows.
    #[error(
        "a cell has at most 32,767 characters, and column {0:?} has more; write CSV by --format csv"
    )]
    Cell(String),
    /// The temporary file can't be written.
    #[error("the workbook can't be written: {0}")]
    Workbook(#[from] XlsxError),
}

/// A workbook of one sheet, of which one row at a time is in memory. Every cell is text: a sheet would take the plus
/// off a number, and the last digits off a long id, and would run a text that begins with `=`.
pub struct Table {
    workbook: Workbook,
    text: Format,
    rows: u32,
    columns: u16,
}

impl Table {
    /// Begins a sheet with a header.
    ///
    /// # Errors
    /// Too many columns, a header that is too long, or no room for a temporary file.
    pub fn new(layout: &Layout) -> Result<Self, NotWritten> {
        let header: Vec<&str> = layout.header().collect();
        if header.len() > MOST_COLUMNS {
            return Err(NotWritten::Columns(header.len()));
        }
        let text = Format::new().set_num_format("@");
        let columns = header.len() as u16;
        let mut table = Table { workbook: Workbook::new(), text, rows: 0, columns };
        let sheet = table.workbook.add_worksheet_with_constant_memory()?;
        if let Some(name) = &layout.form.sheet {
            // If Excel would not take the name, the sheet keeps its default name.
            let _ = sheet.set_name(name);
        }
        sheet.set_freeze_panes(1, 0)?;
        for column in 0..columns {
            sheet.set_column_format(column, &table.text)?;
        }
        table.push(layout, header.into_iter())?;
        Ok(table)
    }

    /// Writes one row.
    ///
    /// # Errors
    /// A cell that is too long, columns that can't be read back, no room for the temporary file.
    pub fn row(&mut self, layout: &Layout, row: &ExportRow) -> Result<(), NotWritten> {
        let mut texts = kept::texts(row.fields, &layout.columns)?;
        added::each(row, layout.wide, |value| {
            texts.push(match value {
                Value::Nothing => String::new(),
                Value::Text(text) | Value::Number(text) | Value::Said(text) => text.to_owned(),
            });
        });
        self.push(layout, texts.iter().map(String::as_str))
    }

    fn push<'a>(
        &mut self,
        layout: &Layout,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<(), NotWritten> {
        let sheet: &mut Worksheet = self.workbook.worksheet_from_index(0)?;
        for (column, text) in (0..self.columns).zip(texts) {
            if text.len() > LONGEST && text.encode_utf16().count() > LONGEST {
                let name = layout.header().nth(usize::from(column)).unwrap_or_default();
                return Err(NotWritten::Cell(name.to_owned()));
            }
            if !text.is_empty() {
                sheet.write_string_with_format(self.rows, column, text, &self.text)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `out` can't be written.
    pub fn finish(mut self, out: impl Write + Send) -> Result<(), NotWritten> {
        let (last, columns) = (self.rows.saturating_sub(1), self.columns.saturating_sub(1));
        let sheet = self.workbook.worksheet_from_index(0)?;
        sheet.ignore_error_range(0, 0, last, columns, IgnoreError::NumberStoredAsText)?;
        Ok(self.workbook.save_to_writer(out)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};
    use jobs::{FileForm, FileFormat};

    use super::*;
    use crate::added::tests::{phone, row as found};

    fn layout(columns: &[&str], sheet: &str) -> Layout {
        let form = FileForm { sheet: Some(sheet.into()), ..FileForm::new(FileFormat::Xlsx) };
        Layout {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            form,
            wide: true,
        }
    }

    fn read(table: Table) -> Xlsx<Cursor<Vec<u8>>> {
        let mut bytes = Vec::new();
        table.finish(&mut bytes).unwrap();
        Xlsx::new(Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn every_cell_is_text_as_it_was() {
        let cells = [
            "0012",
            "2751280000000000001",
            "+4512345678",
            "=1+1",
            "a\r\nb\u{0}c",
            "_x0041_",
            "<&\">",
            " 東京🦀 ",
            "",
        ];
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let layout = layout(&names, "Contacts");
        let fields = serde_json::to_string(&cells).unwrap();
        let mut table = Table::new(&layout).unwrap();
        let phones = vec![phone("+4520123456", Some("mobile"), Some("DK"))];
        table.row(&layout, &found(&fields, phones)).unwrap();
        let mut workbook = read(table);
        assert_eq!(workbook.sheet_names(), ["Contacts"]);
        let range = workbook.worksheet_range("Contacts").unwrap();
        let rows: Vec<Vec<Data>> = range.rows().map(<[Data]>::to_vec).collect();
        assert_eq!(rows.len(), 2);
        for (cell, text) in rows[1].iter().zip(cells) {
            let empty = text.is_empty() && *cell == Data::Empty;
            assert!(empty || *cell == Data::String(text.to_owned()), "{cell:?} {text:?}");
        }
        assert!(rows[1].iter().all(|cell| matches!(cell, Data::String(_) | Data::Empty)));
        assert_eq!(
            rows[1][9..12],
            ["found", "ocean", "+4520123456"].map(|t| Data::String(t.into()))
        );
        assert!(workbook.worksheet_formula("Contacts").unwrap().is_empty());
    }

    #[test]
    fn what_no_sheet_holds_is_said() {
        let long = layout(&["notes"], "a/b");
        let mut table = Table::new(&long).unwrap();
        let fields = serde_json::to_string(&["x".repeat(LONGEST + 1)]).unwrap();
        let refused = table.row(&long, &found(&fields, Vec::new())).unwrap_err();
        assert!(refused.to_string().contains("column \"notes\""), "{refused}");
        assert_eq!(read(table).sheet_names(), ["Sheet1"]);
        let names: Vec<String> = (0..MOST_COLUMNS).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(matches!(Table::new(&layout(&names, "a")), Err(NotWritten::Columns(_))));
    }
}
