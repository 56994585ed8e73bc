use std::borrow::Cow;

use super::lines::{self, LineEnd};

/// One field of a CSV record: where its text is, without the quotes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    start: usize,
    end: usize,
    quoted: bool,
    has_doubled_quotes: bool,
}

impl Field {
    /// The field's text in the record it was scanned from.
    pub fn text<'a>(&self, record: &'a str) -> Cow<'a, str> {
        let text = &record[self.start..self.end];
        if self.has_doubled_quotes {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// Whether the field has only white space.
    pub fn is_blank(&self, record: &[u8]) -> bool {
        record[self.start..self.end].iter().all(u8::is_ascii_whitespace)
    }

    /// The place of the field in the record, including its quotes.
    pub fn span(&self) -> std::ops::Range<usize> {
        let quote = usize::from(self.quoted);
        self.start - quote..self.end + quote
    }
}

/// The result of scanning the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// A whole record, which ends here.
    Record(LineEnd),
    /// The record does not end in these bytes.
    More {
        /// The quote it is in.
        open_quote: Option<usize>,
    },
    /// A quoted field is closed, but doesn't end there.
    TextAfterQuote {
        /// The opening quote.
        quote: usize,
        /// The closing quote.
        closed: usize,
    },
}

/// Finds the fields of the record at the beginning of `bytes`.
///
/// A quote opens a field only as its first byte; elsewhere it is text, as most writers mean it
/// (`5" pipe`). A closed quote must be followed by a separator or the end of the line: anything
/// else means that quotes were not doubled, and reading on would join unrelated lines.
pub fn scan(bytes: &[u8], separator: u8, ended: bool, fields: &mut Vec<Field>) -> Scan {
    fields.clear();
    let mut at = 0;
    loop {
        let field = match quoted(bytes, at, ended) {
            Quoted::Not => unquoted(bytes, at, separator),
            Quoted::Field(field) => field,
            Quoted::Open => return Scan::More { open_quote: Some(at) },
        };
        let end = field.span().end;
        match bytes.get(end) {
            Some(byte) if *byte == separator => at = end + 1,
            Some(b'\n' | b'\r') => {
                let Some(next) = lines::after_line_end(bytes, end, ended) else {
                    return Scan::More { open_quote: None };
                };
                fields.push(field);
                return Scan::Record(LineEnd { content: end, next });
            }
            Some(_) => return Scan::TextAfterQuote { quote: at, closed: end - 1 },
            None if ended => {
                fields.push(field);
                return Scan::Record(LineEnd { content: end, next: end });
            }
            None => return Scan::More { open_quote: None },
        }
        fields.push(field);
    }
}

fn unquoted(bytes: &[u8], start: usize, separator: u8) -> Field {
    let length = memchr::memchr3(separator, b'\n', b'\r', &bytes[start..]);
    let end = length.map_or(bytes.len(), |length| start + length);
    Field { start, end, quoted: false, has_doubled_quotes: false }
}

enum Quoted {
    Not,
    Field(Field),
    Open,
}

fn quoted(bytes: &[u8], at: usize, ended: bool) -> Quoted {
    if bytes.get(at) != Some(&b'"') {
        return Quoted::Not;
    }
    let start = at + 1;
    let mut from = start;
    let mut has_doubled_quotes = false;
    while let Some(length) = memchr::memchr(b'"', &bytes[from..]) {
        let end = from + length;
        match bytes.get(end + 1) {
            Some(b'"') => has_doubled_quotes = true,
            // The last byte known may be the first half of a doubled quote.
            None if !ended => return Quoted::Open,
            _ => return Quoted::Field(Field { start, end, quoted: true, has_doubled_quotes }),
        }
        from = end + 2;
    }
    Quoted::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Option<Vec<String>> {
        let mut fields = Vec::new();
        match scan(text.as_bytes(), b',', true, &mut fields) {
            Scan::Record(_) => Some(fields.iter().map(|f| f.text(text).into_owned()).collect()),
            _ => None,
        }
    }

    #[test]
    fn reads_fields() {
        let table: &[(&str, &[&str])] = &[
            ("", &[""]),
            ("a", &["a"]),
            ("a,b\nc", &["a", "b"]),
            ("a,\r\n", &["a", ""]),
            ("a\rb", &["a"]),
            (",,", &["", "", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\nb\"\nc", &["a\nb"]),
            ("\"\"", &[""]),
            ("\"\"\"a\"\"\"", &["\"a\""]),
            ("5\" pipe, \"x\"", &["5\" pipe", " \"x\""]),
        ];
        for (text, expected) in table {
            assert_eq!(fields(text).as_deref(), Some(owned(expected).as_slice()), "{text:?}");
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn sees_broken_quotes() {
        let of = |text: &str, ended| scan(text.as_bytes(), b',', ended, &mut Vec::new());
        assert_eq!(of("a,\"b", true), Scan::More { open_quote: Some(2) });
        assert_eq!(of("a,\"b\"", false), Scan::More { open_quote: Some(2) });
        assert_eq!(of("a,\"b\"c", true), Scan::TextAfterQuote { quote: 2, closed: 4 });
        assert_eq!(of("a,b\r", false), Scan::More { open_quote: None });
    }
}
