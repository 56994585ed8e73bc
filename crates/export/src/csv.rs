use store::ExportRow;

use crate::added::{self, Value};
use crate::kept::{self, UnreadableFields};
use crate::{Layout, safe};

/// Writes the header: the caller's columns and ours.
pub fn header(out: &mut Vec<u8>, layout: &Layout) {
    if layout.form.byte_order_mark {
        out.extend_from_slice("\u{feff}".as_bytes());
    }
    let mut record = Record::new(out, layout.form.separator);
    layout.header().for_each(|name| record.push(name));
    record.end(layout);
}

/// Writes one row.
///
/// # Errors
/// The row's own columns can't be read back.
pub fn row(out: &mut Vec<u8>, layout: &Layout, row: &ExportRow) -> Result<(), UnreadableFields> {
    let own = kept::texts(row.fields, &layout.columns)?;
    let mut record = Record::new(out, layout.form.separator);
    own.iter().for_each(|field| record.push(field));
    added::each(row, layout.wide, |value| match value {
        Value::Nothing => record.push(""),
        Value::Text(text) | Value::Number(text) => record.push(text),
        Value::Said(text) => record.push(&safe::cell(text)),
    });
    record.end(layout);
    Ok(())
}

struct Record<'a> {
    out: &'a mut Vec<u8>,
    separator: char,
    is_first: bool,
}

impl<'a> Record<'a> {
    fn new(out: &'a mut Vec<u8>, separator: char) -> Self {
        Record { out, separator, is_first: true }
    }

    /// Writes a field. Quotes it if it would be read as something else. A blank at an end is quoted, too: some
    /// readers trim.
    fn push(&mut self, field: &str) {
        if !std::mem::take(&mut self.is_first) {
            let mut bytes = [0; 4];
            self.out.extend_from_slice(self.separator.encode_utf8(&mut bytes).as_bytes());
        }
        if self.is_plain(field) {
            self.out.extend_from_slice(field.as_bytes());
            return;
        }
        self.out.push(b'"');
        for byte in field.bytes() {
            if byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(byte);
        }
        self.out.push(b'"');
    }

    /// Whether a field needs no quotes. Every character at which some program splits fields needs them, whatever
    /// separates the fields of this file.
    fn is_plain(&self, field: &str) -> bool {
        let special = |byte: u8| matches!(byte, b'"' | b'\n' | b'\r' | b',' | b';' | b'\t');
        let padded = field.starts_with(' ') || field.ends_with(' ');
        let usual = matches!(self.separator, ',' | ';' | '\t');
        !padded && !field.bytes().any(special) && (usual || !field.contains(self.separator))
    }

    fn end(self, layout: &Layout) {
        self.out.extend_from_slice(layout.form.line_end.as_str().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use jobs::{FileForm, FileFormat, LineEnd};

    use super::*;
    use crate::added::tests::{phone, row as found};

    fn layout(columns: &[&str], form: FileForm) -> Layout {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Layout { columns, form, wide: false }
    }

    fn line(separator: char, fields: &[&str]) -> String {
        let mut out = Vec::new();
        let form = FileForm { separator, ..FileForm::new(FileFormat::Csv) };
        let mut record = Record::new(&mut out, separator);
        fields.iter().for_each(|field| record.push(field));
        record.end(&layout(&[], form));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_what_needs_it() {
        assert_eq!(line(',', &["a", "b c", ""]), "a,b c,\n");
        assert_eq!(line(',', &["a,b", "5\" pipe", "x\ny"]), "\"a,b\",\"5\"\" pipe\",\"x\ny\"\n");
        assert_eq!(line(',', &["+4512;+4513", " a"]), "\"+4512;+4513\",\" a\"\n");
        assert_eq!(line(';', &["a", "b,c", "d;e"]), "a;\"b,c\";\"d;e\"\n");
        assert_eq!(line('\t', &["a", "b\tc", "d|e"]), "a\t\"b\tc\"\td|e\n");
        assert_eq!(line('|', &["a", "d|e"]), "a|\"d|e\"\n");
    }

    #[test]
    fn leaves_in_the_form_in_which_it_came() {
        let form = FileForm {
            separator: ';',
            byte_order_mark: true,
            line_end: LineEnd::CrLf,
            ..FileForm::new(FileFormat::Csv)
        };
        let layout = layout(&["Näme"], form);
        let mut out = Vec::new();
        header(&mut out, &layout);
        row(&mut out, &layout, &found("[\"=A1\"]", vec![phone("+4520123456", None, None)]))
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\u{feff}Näme;reveal_state;reveal_provider;reveal_phones;reveal_phone_types;reveal_credits;\
             reveal_reason;reveal_at\r\n\
             =A1;found;ocean;+4520123456;;0;;1970-01-01T00:00:00.000Z\r\n"
        );
    }

    #[test]
    fn what_a_provider_said_runs_nowhere_and_what_the_caller_wrote_is_left_alone() {
        let layout = layout(&["own"], FileForm::new(FileFormat::Csv));
        let phones = vec![phone("=cmd|' /C calc'!A0", None, None)];
        let row_of = store::ExportRow { reason: Some("@x"), ..found("[\"=1+1\"]", phones) };
        let mut out = Vec::new();
        row(&mut out, &layout, &row_of).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("=1+1,found,ocean,'=cmd|' /C calc'!A0,,0,'@x,"), "{text}");
    }
}
