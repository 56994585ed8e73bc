//! Several numbers in one text.

use crate::writing::digits::{WHOLE, digits};

/// Splits a text into its numbers: at `/ , ; |`, at ` or ` and at line breaks. A part with too few digits to be a
/// number (an area code, an extension) stays with the number next to it.
pub(crate) fn several(text: &str) -> Vec<&str> {
    let mut numbers: Vec<&str> = Vec::new();
    // The beginning of the number that is being read, its end so far, and the beginning of the next part.
    let (mut begin, mut end, mut last) = (0, 0, 0);
    // Counted along the way: a text of nothing but separators would take forever otherwise.
    let mut digits_before = 0;
    for (place, length) in separators(text).into_iter().chain([(text.len(), 0)]) {
        // Two ` or ` in a row share a space: the second is part of a number.
        if place < last {
            continue;
        }
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

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
            ("2 or or  351234345678", &["2 or or  351234345678"]),
            ("4520112200 or or 4520112201", &["4520112200", "or 4520112201"]),
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

    /// Texts of digits and of everything that may be between numbers.
    fn written() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just(" or "),
            Just(" OR "),
            Just("or"),
            Just(" "),
            Just("+"),
            Just("\u{ff0b}"),
            Just("/"),
            Just(","),
            Just(";"),
            Just("|"),
            Just("\n"),
            Just("://"),
            Just("x"),
            Just("7"),
            Just("4520112200"),
        ];
        vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = several(&text);
        }

        #[test]
        fn no_digit_is_lost(written in written()) {
            let parts: usize = several(&written).into_iter().map(digits).sum();
            prop_assert_eq!(parts, digits(&written));
        }
    }
}
