use export::kept;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::error::RowError;
use super::input_file::InputFile;
use super::jsonl;
use super::record::{Field, Scan, scan};
use super::row::BadRow;
use super::source::{Format, Source};

/// The column that says why a row was refused.
const REASON: &str = "reveal_reason";

/// Bad rows, as they were, each with the reason in a column or key `reveal_reason`, in a file
/// next to the one they came from: `people.rejected.csv` next to `people.csv`.
///
/// The reason comes first, so that it has its place also where a row has too few or too many fields. The file can be
/// fixed and submitted as it is. A row whose quotes are broken would swallow the rows after it, so it is kept whole
/// in one quoted field.
///
/// A file appears under its name only by [`Rejected::finish`], and only if it has rows.
#[derive(Debug)]
pub struct Rejected {
    targets: Vec<Target>,
    open: BTreeMap<usize, BufWriter<NamedTempFile>>,
    format: Format,
}

#[derive(Debug)]
struct Target {
    path: PathBuf,
    has_bom: bool,
    separator: u8,
    header: Vec<u8>,
    line_end: &'static [u8],
    /// The place of a reason that the input itself has, from an earlier round.
    old_reason: Option<usize>,
    fields: usize,
}

impl Rejected {
    pub(super) fn next_to(files: &[InputFile], format: Format) -> Self {
        let mut taken: Vec<PathBuf> = files.iter().filter_map(|f| place_of(&f.source)).collect();
        let targets = files.iter().map(|file| {
            let path = free_path(&file.source, format, &taken);
            taken.push(resolved(&path));
            Target::new(path, file)
        });
        let targets = targets.collect();
        Rejected { targets, open: BTreeMap::new(), format }
    }

    /// Writes one row.
    ///
    /// # Errors
    /// The folder can't be written to, the disk is full.
    pub fn write(&mut self, row: &BadRow) -> io::Result<()> {
        let Some(target) = self.targets.get(row.source) else {
            return Err(io::Error::other("the row is of another input"));
        };
        if !self.open.contains_key(&row.source) {
            let mut file = BufWriter::new(NamedTempFile::new_in(folder(&target.path))?);
            if self.format == Format::Csv {
                file.write_all(&target.header_with_reason())?;
            }
            self.open.insert(row.source, file);
        }
        let Some(file) = self.open.get_mut(&row.source) else { return Ok(()) };
        match self.format {
            Format::Csv => file.write_all(&target.csv(row)),
            Format::Jsonl => file.write_all(json(row).as_bytes()),
        }
    }

    /// Gives the files their names, in place of what an earlier round left there, and returns them.
    ///
    /// # Errors
    /// The folder can't be written to, the disk is full.
    pub fn finish(self) -> io::Result<Vec<PathBuf>> {
        let mut written = Vec::with_capacity(self.open.len());
        for (place, file) in self.open {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            let path = &self.targets[place].path;
            file.persist(path).map_err(|error| error.error)?;
            written.push(path.clone());
        }
        Ok(written)
    }
}

impl Target {
    fn new(path: PathBuf, file: &InputFile) -> Self {
        let mut fields = Vec::new();
        let content = match scan(&file.header, file.separator, true, &mut fields) {
            Scan::Record(end) => end.content,
            _ => file.header.len(),
        };
        let line_end: &'static [u8] = match &file.header[content..] {
            b"\r\n" => b"\r\n",
            b"\r" => b"\r",
            _ => b"\n",
        };
        let header = file.header[..content].to_vec();
        let text = std::str::from_utf8(&header).unwrap_or_default();
        let is_reason = |field: &Field| {
            !text.is_empty() && field.text(text).trim().eq_ignore_ascii_case(REASON)
        };
        let old_reason = fields.iter().position(is_reason);
        Target {
            path,
            has_bom: file.has_bom,
            separator: file.separator,
            line_end,
            old_reason,
            fields: fields.len(),
            header,
        }
    }

    fn header_with_reason(&self) -> Vec<u8> {
        let mut out = if self.has_bom { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        out.extend_from_slice(REASON.as_bytes());
        self.push_rest(&mut out, &self.header);
        out
    }

    fn csv(&self, row: &BadRow) -> Vec<u8> {
        let mut out = Vec::with_capacity(row.raw.len() + 100);
        push_quoted(&mut out, row.message().as_bytes());
        match row.reason {
            RowError::UnclosedQuote | RowError::TextAfterQuote { .. } => {
                out.push(self.separator);
                push_quoted(&mut out, &row.raw);
                out.extend_from_slice(self.line_end);
            }
            _ => self.push_rest(&mut out, &row.raw),
        }
        out
    }

    /// Appends a record without the reason that an earlier round wrote into it.
    fn push_rest(&self, out: &mut Vec<u8>, record: &[u8]) {
        let mut fields = Vec::new();
        scan(record, self.separator, true, &mut fields);
        let old = self.old_reason.filter(|_| fields.len() == self.fields);
        let old = old.map(|place| fields[place].span());
        out.push(self.separator);
        match old {
            None => out.extend_from_slice(record),
            Some(old) if old.start == 0 => {
                out.extend_from_slice(record.get(old.end + 1..).unwrap_or_default());
            }
            Some(old) => {
                out.extend_from_slice(&record[..old.start - 1]);
                out.extend_from_slice(&record[old.end..]);
            }
        }
        out.extend_from_slice(self.line_end);
    }
}

fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Returns a bad line with its reason. A value that is not an object is wrapped in one, as nothing can be added to
/// it.
fn json(row: &BadRow) -> String {
    let mut out = format!("{{\"{REASON}\":");
    kept::push_string(&mut out, &row.message());
    match std::str::from_utf8(&row.raw).ok().and_then(|text| jsonl::parse(text).ok()) {
        Some(object) => {
            for (key, value) in object.0.iter().filter(|(key, _)| key != REASON) {
                out.push(',');
                kept::push_string(&mut out, key);
                out.push(':');
                out.push_str(value.get());
            }
        }
        None => {
            out.push_str(",\"line\":");
            kept::push_string(&mut out, &String::from_utf8_lossy(&row.raw));
        }
    }
    out.push_str("}\n");
    out
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let folder = folder(path).canonicalize().unwrap_or_else(|_| folder(path).to_owned());
        path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
    })
}

fn place_of(source: &Source) -> Option<PathBuf> {
    match source {
        Source::Stdin => None,
        Source::File(path) => Some(resolved(path)),
    }
}

/// Returns the file next to which a source's bad rows are written. A pipe (`<(…)`) has no place of its own.
fn neighbour(source: &Source) -> &Path {
    match source {
        Source::File(path) if path.is_file() => path,
        _ => Path::new("stdin"),
    }
}

/// Returns `people.rejected.csv`. If that is an input, or another input's file of bad rows, returns
/// `people.rejected-2.csv` and so on.
fn free_path(source: &Source, format: Format, taken: &[PathBuf]) -> PathBuf {
    let usual = match format {
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
    };
    let path = neighbour(source);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or(usual.into(), |extension| extension.to_string_lossy());
    let named = |number: usize| match number {
        1 => path.with_file_name(format!("{stem}.rejected.{extension}")),
        _ => path.with_file_name(format!("{stem}.rejected-{number}.{extension}")),
    };
    (1..).map(named).find(|path| !taken.contains(&resolved(path))).unwrap_or_else(|| named(1))
}
