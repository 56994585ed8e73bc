//! Finds the header of a file that does not begin with it, or whose header has no known names: the records below a
//! possible header decide.

use jobs::{Identifier, IdentifierKind};

use super::columns::{Recognised, Role};
use super::error::{InputError, Refusal};
use super::input_file::InputFile;
use super::known_headers::{may_be_address, trimmed};
use super::lines::LineEnd;
use super::record::{Field, Scan, scan};

/// How many bytes of a file are searched.
const SAMPLE: usize = 64 * 1024;
/// How many records may be above the header.
const MOST_ABOVE: usize = 30;
/// How many records below a possible header are read.
const MOST_BELOW: usize = 20;

/// A record that may be the header.
pub struct Head {
    /// The separator of the fields.
    pub separator: u8,
    /// The fields.
    pub names: Vec<String>,
    /// The length of each record above it.
    pub above: Vec<usize>,
    /// The end of the record, counted from its beginning.
    pub end: LineEnd,
    /// How many of its columns are known to identify people.
    pub known: usize,
    /// The column in which LinkedIn addresses were seen, where no header is known for them.
    pub address: Option<usize>,
}

/// Finds the first record that names a column of identifiers and has identifiers of that kind below it.
pub fn find(
    file: &mut InputFile,
    separators: &[u8],
    recognised: &Recognised,
) -> Result<Option<Head>, InputError> {
    while file.bytes().len() < SAMPLE && !file.window.ended() {
        file.more()?;
    }
    let mut best: Option<Head> = None;
    for separator in separators {
        let records = records(file, *separator);
        let found = first_header(&records, *separator, recognised);
        let Some(head) = found.map_err(|refusal| file.refused(refusal))? else { continue };
        let rank =
            |head: &Head| (std::cmp::Reverse(head.above.len()), head.known, head.names.len());
        if best.as_ref().is_none_or(|best| rank(&head) > rank(best)) {
            best = Some(head);
        }
    }
    Ok(best)
}

struct Record {
    texts: Vec<String>,
    end: LineEnd,
}

/// Splits the sample into its first records by this separator.
fn records(file: &InputFile, separator: u8) -> Vec<Record> {
    let bytes = file.bytes();
    let mut sample = &bytes[..bytes.len().min(SAMPLE)];
    let ended = file.window.ended() && bytes.len() <= SAMPLE;
    let mut records = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    while records.len() < MOST_ABOVE + MOST_BELOW && !sample.is_empty() {
        let Scan::Record(end) = scan(sample, separator, ended, &mut fields) else { break };
        let text = String::from_utf8_lossy(&sample[..end.content]);
        // Bytes that are not UTF-8 are longer when they are replaced: the cells of such a record are not used.
        let readable = text.len() == end.content;
        let texts = fields.iter().filter(|_| readable).map(|field| field.text(&text).into_owned());
        records.push(Record { texts: texts.collect(), end });
        sample = &sample[end.next..];
    }
    records
}

fn first_header(
    records: &[Record],
    separator: u8,
    recognised: &Recognised,
) -> Result<Option<Head>, Refusal> {
    for (at, record) in records.iter().enumerate().take(MOST_ABOVE) {
        let below = &records[at + 1..records.len().min(at + 1 + MOST_BELOW)];
        let holds = |place: usize, kind| holds(below, place, kind);
        let names: Vec<String> = record.texts.iter().map(|name| trimmed(name).to_owned()).collect();
        let known = names.iter().enumerate().filter(|(place, name)| {
            matches!(recognised.role(name), Role::Identifier(kind) if holds(*place, kind))
        });
        let known = known.count();
        let address = if known == 0 && !recognised.is_mapped(IdentifierKind::LinkedinUrl) {
            let may_be = |place: &usize| {
                may_be_address(&names[*place]) && holds(*place, IdentifierKind::LinkedinUrl)
            };
            let places: Vec<usize> = (0..names.len()).filter(may_be).collect();
            if let [first, second, ..] = places[..] {
                return Err(Refusal::two_columns(
                    IdentifierKind::LinkedinUrl,
                    &names,
                    first,
                    second,
                ));
            }
            places.first().copied()
        } else {
            None
        };
        if known > 0 || address.is_some() {
            let above = records[..at].iter().map(|record| record.end.next).collect();
            return Ok(Some(Head { separator, names, above, end: record.end, known, address }));
        }
    }
    Ok(None)
}

/// Whether at least half of the cells with content in this column are identifiers of this kind.
fn holds(records: &[Record], place: usize, kind: IdentifierKind) -> bool {
    let (mut good, mut bad) = (0, 0);
    for text in records.iter().filter_map(|record| record.texts.get(place)) {
        match Identifier::parse(kind, text) {
            Ok(_) => good += 1,
            Err(error) if error.is_absent() => {}
            Err(_) => bad += 1,
        }
    }
    good > 0 && good >= bad
}
