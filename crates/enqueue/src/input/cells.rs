use std::collections::BTreeMap;

use serde_json::Value;

use super::error::{InputError, Refusal};
use super::input_file::InputFile;
use super::known_headers::trimmed;
use super::next_record::{self, Found};
use super::source::{Format, Source};

/// Separators, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The cells of one record of a list, whatever its columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cells {
    /// The physical line on which it begins, from 1.
    pub line: u64,
    /// The cells in their order. Each has the name of its key if the list is JSON Lines.
    pub cells: Vec<(Option<String>, String)>,
}

/// Reads all records of a list that need not have a header: CSV, a value a line, JSON Lines or a workbook's first sheet.
///
/// # Errors
/// The file can't be read, or is not a list.
pub fn read(source: &Source) -> Result<Vec<Cells>, InputError> {
    let mut file = InputFile::new(0, source.clone(), source.open()?, None)?;
    let format = file.format()?;
    let mut records = Vec::new();
    if format == Format::Csv {
        file.separator = separator(&mut file)?;
    }
    while let Some(end) = file.first_line()? {
        let line = file.window.line();
        if next_record::is_blank(&file.bytes()[..end.content], file.separator) {
            file.window.pass(end.next);
            continue;
        }
        let cells = match format {
            Format::Csv => record(&mut file)?,
            Format::Jsonl => {
                let object = serde_json::from_slice(&file.bytes()[..end.content]);
                let object: BTreeMap<String, Value> =
                    object.map_err(|_| file.refused(Refusal::NoList("is no JSON object")))?;
                file.window.pass(end.next);
                object.into_iter().map(|(key, value)| (Some(key), text(value))).collect()
            }
        };
        records.push(Cells { line, cells });
    }
    Ok(records)
}

/// Returns the most frequent separator in the first line.
fn separator(file: &mut InputFile) -> Result<u8, InputError> {
    let Some(end) = file.first_line()? else { return Ok(b',') };
    let line = &file.bytes()[..end.content];
    let times = |separator: &u8| line.iter().filter(|byte| *byte == separator).count();
    Ok(SEPARATORS.into_iter().rev().max_by_key(times).unwrap_or(b','))
}

fn record(file: &mut InputFile) -> Result<Vec<(Option<String>, String)>, InputError> {
    let mut fields = Vec::new();
    let end = match next_record::find(file, file.separator, &mut fields)? {
        Found::Record(end) => end,
        Found::Broken { .. } => {
            return Err(file.refused(Refusal::NoList("has a quote that never ends")));
        }
    };
    let raw = &file.bytes()[..end.content];
    let record =
        std::str::from_utf8(raw).map_err(|_| file.refused(Refusal::NoList("is not UTF-8")))?;
    let cells =
        fields.iter().map(|field| (None, trimmed(&field.text(record)).to_owned())).collect();
    file.window.pass(end.next);
    Ok(cells)
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => trimmed(&text).to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
