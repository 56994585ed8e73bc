/// Lists without columns of ours.
mod cells;
/// Which column is which, and which columns of a row are kept.
mod columns;
/// CSV: records, and going on after broken ones.
mod csv;
/// Errors of an input, in words for its author.
mod error;
/// A fingerprint of the content that is enqueued.
mod hash;
/// Where the header is, if not at the beginning.
mod head;
/// The header of a CSV file, and what separates its fields.
mod header;
/// The identifiers on a row, and the providers that it asks.
mod identifiers;
/// A source that is being read.
mod input_file;
/// JSON Lines.
mod jsonl;
/// The headers of the usual exports.
mod known_headers;
/// Physical lines of a file that is read piece by piece.
mod lines;
/// Where the next record of a CSV file ends.
mod next_record;
/// The fields of one CSV record.
mod record;
/// Bad rows, written out for fixing.
mod rejected;
/// Good rows and bad rows.
mod row;
/// Files, standard input and their formats.
mod source;
/// Excel's workbooks.
mod workbook;

use std::io::Read;

use jobs::{FileForm, FileFormat, LineEnd, Provider};

pub use cells::{Cells, read as read_cells};
pub use columns::{BadMapping, ColumnMapping};
pub use error::{InputError, Names, Refusal, RowError};
pub use hash::ContentHasher;
pub use identifiers::{Identifiers, Waterfall};
pub use known_headers::{key as header_key, known as known_header};
pub use rejected::Rejected;
pub use row::{BadRow, Line, Row};
pub use source::{Format, Source, UnknownFormat};

use columns::Recognised;
use identifiers::Validator;
use input_file::InputFile;
use jobs::words::harmless;
use record::Field;

/// How the sources are to be read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format of all sources, where the guess by name is overridden.
    pub format: Option<Format>,
    /// Other headers of the recognised columns.
    pub columns: Vec<ColumnMapping>,
    /// The sheet of a workbook to read; the first where None.
    pub sheet: Option<String>,
    /// The providers to ask, in order; every provider where None.
    pub providers: Option<Vec<Provider>>,
    /// Where LinkedIn addresses are looked up, if anywhere.
    pub lookup: Option<Provider>,
}

/// Reads the rows of all sources, one after the other, holding one record at a time.
///
/// An `Err` concerns the whole input; nothing comes after it.
pub struct Reader {
    files: Vec<InputFile>,
    current: usize,
    body: Body,
    validator: Validator,
    fields: Vec<Field>,
}

enum Body {
    Csv(header::Header),
    Jsonl(jsonl::Keys),
}

impl Reader {
    /// Opens the sources and checks their headers, all before the first row.
    ///
    /// # Errors
    /// Files that can't be read or that no row could be taken from.
    pub fn open(sources: &[Source], options: Options) -> Result<Self, InputError> {
        let opened = sources.iter().map(|source| Ok((source.clone(), source.open()?)));
        Self::from_readers(opened.collect::<Result<_, _>>()?, options)
    }

    /// The same for sources that are already open.
    ///
    /// # Errors
    /// Sources that can't be read or that no row could be taken from.
    pub fn from_readers(
        sources: Vec<(Source, Box<dyn Read + Send>)>,
        options: Options,
    ) -> Result<Self, InputError> {
        let mut files = Vec::with_capacity(sources.len());
        for (place, (source, reader)) in sources.into_iter().enumerate() {
            files.push(InputFile::new(place, source, reader, options.sheet.as_deref())?);
        }
        let recognised =
            Recognised::new(&options.columns).map_err(|refusal| first_refused(&files, refusal))?;
        let mut validator = Validator::new(options.providers, options.lookup, recognised);
        let body = match common_format(&mut files, options.format)? {
            Format::Csv => {
                let header = common_header(&mut files, &validator)?;
                validator.adopt(header.recognised().map(|(kind, name, _)| (kind, name)));
                Body::Csv(header)
            }
            Format::Jsonl => Body::Jsonl(jsonl::Keys::default()),
        };
        Ok(Reader { files, current: 0, body, validator, fields: Vec::new() })
    }

    /// The format of the input.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.body {
            Body::Csv(_) => Format::Csv,
            Body::Jsonl(_) => Format::Jsonl,
        }
    }

    /// The caller's own columns in order. For JSON Lines they are known once all is read.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        match &self.body {
            Body::Csv(header) => header.kept(),
            Body::Jsonl(keys) => keys.kept(),
        }
    }

    /// Says what was recognised without a flag: columns under another name than ours, a header that is not the first
    /// line, a sheet. For people.
    #[must_use]
    pub fn recognised(&self) -> Vec<String> {
        let Body::Csv(header) = &self.body else { return Vec::new() };
        let mapped = |kind| self.validator.recognised().is_mapped(kind);
        let renamed = header
            .recognised()
            .filter(|(kind, name, _)| !mapped(*kind) && !name.eq_ignore_ascii_case(kind.as_str()));
        let mut lines: Vec<String> = renamed
            .map(|(kind, name, place)| format!("{kind} is {name:?}, column {place} of the header"))
            .collect();
        let Some(file) = self.files.first() else { return lines };
        if let Some(sheet) = &file.sheet {
            lines.push(format!("the sheet is {:?}, one of {}", sheet.name, sheet.of));
        }
        if file.header_line > 1 {
            lines.push(format!("the header is in line {}", file.header_line));
        }
        lines.iter().map(|line| format!("{}: {line}", harmless(&file.name))).collect()
    }

    /// Says which columns are not kept, since an earlier export added them and the next one has its own. For JSON
    /// Lines they are known once all is read.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let names = match &self.body {
            Body::Csv(header) => header.left_out(),
            Body::Jsonl(keys) => keys.left_out(),
        };
        let file = self.files.first().filter(|_| !names.is_empty())?;
        Some(format!(
            "{}: {} came with an earlier export and will not come back; the next one writes its own in their place",
            harmless(&file.name),
            names.join(", ")
        ))
    }

    /// The form in which the first file came.
    #[must_use]
    pub fn form(&self) -> FileForm {
        let mut form = FileForm::new(match self.format() {
            Format::Csv => FileFormat::Csv,
            Format::Jsonl => FileFormat::Jsonl,
        });
        let Some(file) = self.files.first() else { return form };
        form.byte_order_mark = file.has_bom;
        if let Some(sheet) = &file.sheet {
            form.format = FileFormat::Xlsx;
            form.sheet = Some(sheet.name.clone());
        } else if self.format() == Format::Csv {
            form.separator = char::from(file.separator);
            form.line_end = match file.header.as_slice() {
                [.., b'\r', b'\n'] => LineEnd::CrLf,
                [.., b'\r'] => LineEnd::Cr,
                _ => LineEnd::Lf,
            };
        }
        form
    }

    /// Where bad rows can be written to, next to each source.
    #[must_use]
    pub fn rejected(&self) -> Rejected {
        Rejected::next_to(&self.files, self.format())
    }

    fn next_line(&mut self) -> Result<Option<Line>, InputError> {
        while let Some(file) = self.files.get_mut(self.current) {
            let line = match &mut self.body {
                Body::Csv(header) => csv::next(file, header, &self.validator, &mut self.fields)?,
                Body::Jsonl(keys) => jsonl::next(file, keys, &self.validator)?,
            };
            if line.is_some() {
                return Ok(line);
            }
            self.current += 1;
            if self.current == self.files.len() {
                self.check_mapped_keys()?;
            }
        }
        Ok(None)
    }

    /// Only the end of JSON Lines shows that a mapped key never came.
    fn check_mapped_keys(&self) -> Result<(), InputError> {
        match &self.body {
            Body::Jsonl(keys) if keys.names().next().is_some() => {
                let checked = self.validator.recognised().check_mappings(keys.names());
                checked.map_err(|refusal| first_refused(&self.files, refusal))
            }
            // CSV has shown its header at the beginning; without any key each line is an error.
            _ => Ok(()),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Line, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.next_line().transpose();
        if matches!(line, Some(Err(_))) {
            self.current = self.files.len();
        }
        line
    }
}

fn first_refused(files: &[InputFile], refusal: Refusal) -> InputError {
    let name = files.first().map_or_else(|| Source::Stdin.name(), |file| file.name.clone());
    InputError::Refused { name, line: 1, refusal }
}

fn common_format(files: &mut [InputFile], said: Option<Format>) -> Result<Format, InputError> {
    if let Some(format) = said {
        return Ok(format);
    }
    let mut common = None;
    for file in files {
        let format = file.format()?;
        if *common.get_or_insert(format) != format {
            return Err(file.refused(Refusal::MixedFormats));
        }
    }
    Ok(common.unwrap_or(Format::Csv))
}

fn common_header(
    files: &mut [InputFile],
    validator: &Validator,
) -> Result<header::Header, InputError> {
    let Some((first, others)) = files.split_first_mut() else {
        return Err(first_refused(files, Refusal::Empty));
    };
    let common = header::read(first, validator.recognised())?;
    let refused = |refusal| first_refused(std::slice::from_ref(first), refusal);
    common.check(validator).map_err(refused)?;
    for file in others {
        let other = header::read(file, validator.recognised())?;
        let same = other.check_same(&common, first);
        same.map_err(|refusal| InputError::Refused { name: file.name.clone(), line: 1, refusal })?;
    }
    Ok(common)
}
