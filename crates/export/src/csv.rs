use jobs::Timestamp;
use store::ExportRow;

use crate::kept::{self, UnreadableFields};
use crate::{RESERVED, joined};

/// The caller's columns and ours.
pub fn header(out: &mut Vec<u8>, columns: &[String]) {
    let all = columns.iter().map(String::as_str).chain(RESERVED);
    record(out, all);
}

/// One row.
pub fn row(out: &mut Vec<u8>, columns: &[String], row: &ExportRow) -> Result<(), UnreadableFields> {
    let own = kept::texts(row.fields, columns)?;
    let (phones, kinds) = joined(row);
    let credits = row.credits.to_string();
    let at = row.revealed_at.map(Timestamp::iso8601).unwrap_or_default();
    let ours = [
        row.state,
        row.provider.unwrap_or(""),
        &phones,
        &kinds,
        &credits,
        row.reason.unwrap_or(""),
        &at,
    ];
    record(out, own.iter().map(String::as_str).chain(ours));
    Ok(())
}

fn record<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'a str>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push(out, field);
    }
    out.push(b'\n');
}

/// Quotes what would be read as something else. A blank at an end is quoted, too: some readers trim.
fn push(out: &mut Vec<u8>, field: &str) {
    let special = |byte: u8| matches!(byte, b',' | b'"' | b'\n' | b'\r' | b';' | b'\t');
    let padded = field.starts_with(' ') || field.ends_with(' ');
    if !padded && !field.bytes().any(special) {
        out.extend_from_slice(field.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in field.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &[&str]) -> String {
        let mut out = Vec::new();
        record(&mut out, fields.iter().copied());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_what_needs_it() {
        assert_eq!(line(&["a", "b c", ""]), "a,b c,\n");
        assert_eq!(line(&["a,b", "5\" pipe", "x\ny"]), "\"a,b\",\"5\"\" pipe\",\"x\ny\"\n");
        assert_eq!(line(&["+4512;+4513", " a"]), "\"+4512;+4513\",\" a\"\n");
    }
}
