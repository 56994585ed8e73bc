use std::io::{Cursor, Write};

use enqueue::input::Line;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::input::Table;

/// The separator of the parts.
const BETWEEN: &[u8] = b"\n--\n";

const PACKAGE: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &str =
    r#"<workbook><sheets><sheet name="People" sheetId="1" r:id="r1"/></sheets></workbook>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// A workbook gives a table or a reason, whatever is in it. The input is a whole workbook, or its parts: the content of
/// the sheet, the shared strings, the styles, the list of sheets, and their relationships.
pub(crate) fn holds(data: &[u8]) {
    let packed = if data.starts_with(b"PK") { data.to_vec() } else { packed(data) };
    let Ok(table) = Table::read("people.xlsx", &packed, packed.len().max(1)) else { return };
    // An archive is packed: its table may be larger than itself.
    table.assert_fit_to_be_kept(usize::MAX / 16);
    if !data.starts_with(b"PK") {
        assert_none_is_made_up(&table, data);
    }
}

/// Two cells never become one identifier.
fn assert_none_is_made_up(table: &Table, data: &[u8]) {
    let written = String::from_utf8_lossy(data).to_lowercase();
    // References, and texts of several runs, are put together on purpose. The library also reads parts that are not
    // well-formed.
    if written.contains(['&', '%', '\u{fffd}'])
        || written.contains("<r>")
        || written.contains("<!")
        || !written.split("\n--\n").all(is_well_formed)
    {
        return;
    }
    for line in &table.lines {
        let Line::Row(row) = line else { continue };
        for identifier in row
            .identifiers
            .iter()
            .filter(|id| id.value().contains(|c: char| c.is_ascii_alphabetic()))
        {
            assert!(
                written.contains(&identifier.value().to_lowercase()),
                "{:?} stands nowhere",
                identifier.value()
            );
        }
    }
}

/// Whether each end tag names the tag that is open.
fn is_well_formed(part: &str) -> bool {
    let mut open = Vec::new();
    for tag in part.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = |tag: &str| tag.split_whitespace().next().unwrap_or_default().to_owned();
        match tag.strip_prefix('/') {
            Some(end) if open.pop() != Some(name(end)) => return false,
            None if !tag.ends_with('/') && !tag.starts_with('?') => open.push(name(tag)),
            _ => {}
        }
    }
    open.is_empty()
}

fn packed(data: &[u8]) -> Vec<u8> {
    let mut rest = data;
    let mut part = || {
        let end = rest.windows(BETWEEN.len()).position(|bytes| bytes == BETWEEN);
        let (part, after) =
            end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + BETWEEN.len()..]));
        rest = after;
        part
    };
    let sheet =
        framed(part(), b"<worksheet", b"<worksheet><sheetData>", b"</sheetData></worksheet>");
    let strings = framed(part(), b"<sst", b"<sst>", b"</sst>");
    let styles =
        framed(part(), b"<styleSheet", b"<styleSheet><cellXfs>", b"</cellXfs></styleSheet>");
    let workbook = or(part(), WORKBOOK);
    let relations = or(part(), RELATIONS);
    let files = [
        ("_rels/.rels", PACKAGE.as_bytes().to_vec()),
        ("xl/workbook.xml", workbook),
        ("xl/_rels/workbook.xml.rels", relations),
        ("xl/sharedStrings.xml", strings),
        ("xl/styles.xml", styles),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in files {
        archive.start_file(name, stored).expect("a part");
        archive.write_all(&content).expect("memory");
    }
    archive.finish().expect("an archive").into_inner()
}

/// Puts a part that is not whole inside its frame.
fn framed(part: &[u8], whole: &[u8], before: &[u8], after: &[u8]) -> Vec<u8> {
    if part.windows(whole.len()).any(|bytes| bytes == whole) {
        return part.to_vec();
    }
    [before, part, after].concat()
}

fn or(part: &[u8], usual: &str) -> Vec<u8> {
    if part.is_empty() { usual.as_bytes().to_vec() } else { part.to_vec() }
}
