//! How numbers are written: in which digits, with an extension, several in one text; and which texts are not numbers.

/// The zero of each script's digits; the nine others follow it.
const ZEROS: [char; 18] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}',
    '\u{17e0}', '\u{ff10}',
];

/// Words and characters before an extension. A longer one stands before the shorter ones that it ends with.
const EXTENSION: [&str; 11] =
    ["extension", ";ext", "extn", "ext", "durchwahl", "доб", "x", "#", ",,", ",", ";"];

/// Fewer digits than this are not a number of their own; they belong to the number beside them.
const WHOLE: usize = 7;

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

/// Converts a digit of any script to ASCII, and any plus sign to `+`.
fn ascii(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    if matches!(c, '\u{ff0b}' | '\u{fe62}' | '\u{2795}') {
        return '+';
    }
    let value = |zero: char| u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10);
    ZEROS.into_iter().find_map(value).and_then(|value| char::from_digit(value, 10)).unwrap_or(c)
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

fn digits(text: &str) -> usize {
    text.chars().map(ascii).filter(char::is_ascii_digit).count()
}

/// Splits a text into its numbers: at `/ , ; |`, at ` or ` and at line breaks. A part with too few digits to be a
/// number (an area code, an extension) stays with the number beside it.
pub(crate) fn several(text: &str) -> Vec<&str> {
    let mut numbers: Vec<&str> = Vec::new();
    // The beginning of the number that is being read, its end so far, and the beginning of the next part.
    let (mut begin, mut end, mut last) = (0, 0, 0);
    // Counted along the way: a text of nothing but separators would take forever otherwise.
    let mut digits_before = 0;
    for (place, length) in separators(text).into_iter().chain([(text.len(), 0)]) {
        let next = &text[last..place];
        let digits_in_next = digits(next);
        let parts = digits_before >= WHOLE && digits_in_next >= WHOLE
            || next.trim_start().starts_with(['+', '\u{ff0b}']);
        if parts && last > begin {
            numbers.push(&text[begin..end]);
            (begin, digits_before) = (last, 0);
        }
        digits_before += digits_in_next;
        (end, last) = (place, place + length);
    }
    numbers.push(&text[begin..]);
    let trimmed = numbers.into_iter().map(|number| number.trim_matches(is_between));
    trimmed.filter(|number| !number.is_empty()).collect()
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || "/,;|".contains(c)
}

/// The places where numbers may be split, and the length of each separator in bytes.
fn separators(text: &str) -> Vec<(usize, usize)> {
    // The slashes of an address are not separators.
    let address = text.contains("://");
    let length = |(place, c): (usize, char)| match c {
        '/' if address => None,
        '/' | ',' | ';' | '|' | '\n' | '\r' => Some((place, 1)),
        ' ' if text.get(place..place + 4).is_some_and(|or| or.eq_ignore_ascii_case(" or ")) => {
            Some((place, 4))
        }
        _ => None,
    };
    text.char_indices().filter_map(length).collect()
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

/// Whether a text is an address, a date, a score or an id.
fn is_something_else(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains('@')
        || lower.contains("://") && !lower.starts_with("tel:")
        || lower.starts_with("www.")
        || is_date(text)
        || is_ip_address(text)
        || is_score(text)
        || is_mixed(text)
}

/// Whether a text is a date: `2026-01-31`, `31.01.2026` or `1/31/2026`, with or without a time after it.
fn is_date(text: &str) -> bool {
    let day = text.split([' ', 'T']).next().unwrap_or(text);
    let Some(separator) = day.chars().find(|c| "-./".contains(*c)) else { return false };
    let parts: Vec<&str> = day.split(separator).collect();
    let number = |part: &str, most: u32| {
        part.len() <= 2 && part.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number))
    };
    let year = |part: &str| {
        part.len() == 4 && part.parse::<u32>().is_ok_and(|year| (1900..2100).contains(&year))
    };
    match parts[..] {
        [first, second, third] => {
            year(first) && number(second, 12) && number(third, 31)
                || year(third) && number(first, 31) && number(second, 31)
        }
        _ => false,
    }
}

/// Whether a text is an IP address: `192.168.100.20`. Four pairs of digits, as in `20.11.22.33`, are more likely a
/// phone number.
fn is_ip_address(text: &str) -> bool {
    let pairs = text.split('.').all(|part| part.len() == 2);
    !pairs && text.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a text is a score or a count: `0.98765`, `97.123456`, `1,234,567`.
fn is_score(text: &str) -> bool {
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((whole, fraction)) = text.split_once('.') {
        let small = whole == "0" || whole == "100" || whole.len() <= 2 && !whole.starts_with('0');
        return small && all_digits(whole) && all_digits(fraction);
    }
    let mut groups = text.split(',');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    (1..=3).contains(&first.len())
        && all_digits(first)
        && !rest.is_empty()
        && rest.iter().all(|group| group.len() == 3 && all_digits(group))
}

/// Whether letters stand between digits, as in `69c2f3a1b4`: a word would stand apart.
fn is_mixed(text: &str) -> bool {
    let kinds: Vec<char> = text.chars().collect();
    let mut before = None;
    for (place, c) in kinds.iter().enumerate() {
        if c.is_alphabetic() {
            if place == 0 || !kinds[place - 1].is_alphabetic() {
                before = place.checked_sub(1).and_then(|place| kinds.get(place));
            }
            let ends = kinds.get(place + 1).is_some_and(char::is_ascii_digit);
            if ends && before.is_some_and(char::is_ascii_digit) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn several_numbers_in_one_text() {
        for (text, numbers) in [
            ("+4520112200 / +4520112201", &["+4520112200", "+4520112201"][..]),
            ("+4520112200/20112201", &["+4520112200", "20112201"]),
            (
                "+4520112200, +4520112201;+4520112202|+4520112203",
                &["+4520112200", "+4520112201", "+4520112202", "+4520112203"],
            ),
            ("+4520112200 or +4520112201", &["+4520112200", "+4520112201"]),
            ("+4520112200\r\n+4520112201\n", &["+4520112200", "+4520112201"]),
            ("none / +4520112201", &["none", "+4520112201"]),
            ("+45 12-34.56/78, 20 11 22 00", &["+45 12-34.56/78", "20 11 22 00"]),
            ("089/1234567", &["089/1234567"]),
            ("+49 89/12345678", &["+49 89/12345678"]),
            ("+49 (0)169//4", &["+49 (0)169//4"]),
            ("+14395700805;ext=12", &["+14395700805;ext=12"]),
            ("+14395700805,,12 ; +4520112200", &["+14395700805,,12", "+4520112200"]),
            ("+14395700805, ext 12 / +4520112200 x5", &["+14395700805, ext 12", "+4520112200 x5"]),
            ("https://x.y/+4520112200", &["https://x.y/+4520112200"]),
            ("", &[]),
        ] {
            assert_eq!(several(text), numbers, "{text}");
        }
    }

    /// Each part is looked at once: a megabyte of separators would take an hour otherwise.
    #[test]
    fn a_long_text_takes_no_long_time() {
        let text = format!("4520112200{}4520112201", ",/;|".repeat(500_000));
        assert_eq!(several(&text), ["4520112200", "4520112201"]);
    }

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
        fn never_panics(text in ".{0,60}", written in "[+0-9x,;/|or .\n()-]{0,60}") {
            for text in [&text, &written] {
                let _ = (several(text), may_be_number(text), is_number_like(text), Written::of(text));
            }
        }

        #[test]
        fn no_digit_is_lost(written in "[+0-9x,;/|or .\n()-]{0,60}") {
            let parts: usize = several(&written).into_iter().map(digits).sum();
            prop_assert_eq!(parts, digits(&written));
        }
    }
}
