//! How numbers are written: in which digits, and with an extension; and which texts are not numbers.

mod digits;
mod other_text;
mod several;

use digits::{WHOLE, ascii, digits};
use other_text::is_something_else;
pub(crate) use several::several;

/// Words and characters before an extension. A longer one comes before the shorter ones that it ends with.
const EXTENSION: [&str; 11] =
    ["extension", ";ext", "extn", "ext", "durchwahl", "доб", "x", "#", ",,", ",", ";"];

/// Digits of a number, its extension aside.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=20;

/// Longer than any way of writing one number.
const LONGEST: usize = 100;

/// A number as it was written, in ASCII digits, and its extension.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) number: String,
    pub(crate) extension: Option<String>,
}

impl Written {
    pub(crate) fn of(raw: &str) -> Self {
        let text: String = raw.chars().filter(|c| !is_invisible(*c)).map(ascii).collect();
        let text = text.trim();
        match extension(text) {
            Some((number, extension)) => {
                Written { number: number.to_owned(), extension: Some(extension.to_owned()) }
            }
            None => Written { number: text.to_owned(), extension: None },
        }
    }
}

/// Whether a character marks the direction of writing, or has no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// The digit under which a keypad has a letter.
pub(crate) fn on_keypad(c: char) -> char {
    match c.to_ascii_lowercase() {
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        'w'..='z' => '9',
        _ => c,
    }
}

/// Returns the number and the extension after it, as in `… ext 12`, `…x12`, `…;ext=12`.
fn extension(text: &str) -> Option<(&str, &str)> {
    let before = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let extension = &text[before.len()..];
    if !(1..=7).contains(&extension.len()) {
        return None;
    }
    let marked = before.trim_end_matches([' ', '.', ':', '=']);
    let number = EXTENSION.iter().find_map(|marker| without_suffix(marked, marker))?;
    let is_word = marked[number.len()..].starts_with(char::is_alphabetic);
    // `Fax 12` has no extension.
    if is_word && number.ends_with(char::is_alphabetic) {
        return None;
    }
    let number = number.trim_end_matches([' ', ',', ';', '.', '-', '(']);
    (digits(number) >= *DIGITS.start()).then_some((number, extension))
}

fn without_suffix<'t>(text: &'t str, suffix: &str) -> Option<&'t str> {
    let place = text.len().checked_sub(suffix.len())?;
    let same = text.get(place..)?.to_lowercase() == suffix;
    same.then(|| &text[..place])
}

/// Whether a text may be a phone number. Generous: a number that was paid for is not dropped for its spelling.
pub(crate) fn may_be_number(text: &str) -> bool {
    let number = Written::of(text).number;
    let vanity = number.contains(['+', '-']) && number.starts_with(['+', '(', '1', '0']);
    let dialled = if vanity { number.chars().map(on_keypad).collect() } else { number.clone() };
    text.chars().count() <= LONGEST
        && (DIGITS.contains(&digits(&number))
            || DIGITS.contains(&digits(&dialled)) && digits(&number) > 0)
        && !is_something_else(&number)
}

/// Whether a text is a phone number beyond doubt, judged by its writing: nothing but digits and punctuation.
pub(crate) fn is_number_like(text: &str) -> bool {
    let number = Written::of(text).number;
    let plain = number
        .chars()
        .all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-.()/\u{2010}\u{2011}".contains(c));
    plain && (WHOLE..=15).contains(&digits(&number)) && !is_something_else(&number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WRITTEN: &str = "[+0-9x,;/|or .\n()-]{0,60}";

    #[test]
    fn what_is_no_number() {
        for text in [
            "https://example.com/12345678",
            "www.12345678.com",
            "a1234567@b.c",
            "2026-01-31",
            "31.01.2026",
            "1/31/2026",
            "2026-01-31T10:11:12Z",
            "2026-01-31 10:11:12",
            "192.168.100.20",
            "0.98765432",
            "97.123456",
            "1,234,567",
            "69c2f3a1b4",
            "c0ffee12-3456-7890",
            "",
            "1234",
            "unknown",
            "123456789012345678901",
        ] {
            assert!(!may_be_number(text), "{text}");
        }
    }

    #[test]
    fn what_may_be_one() {
        for text in [
            "+4520112200",
            "20.11.22.33",
            "01.23.45.67.89",
            "415.555.2671",
            "0170.1234567",
            "1-800-FLOWERS",
            "+1-800-FLOWERS",
            "٤٥١٢٣٤٥٦٧٨",
            "+1 439 570 0805 ext 12",
            "tel:+4520112200",
            "Mobile: 20112200",
            "(415) 555-2671",
            "20.11.2200",
        ] {
            assert!(may_be_number(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}", written in WRITTEN) {
            for text in [&text, &written] {
                let _ = (may_be_number(text), is_number_like(text), Written::of(text));
            }
        }
    }
}
