//! Digits of all scripts.

/// The zero of each script's digits; the nine others follow it.
const ZEROS: [char; 18] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}',
    '\u{17e0}', '\u{ff10}',
];

/// Fewer digits than this are not a number of their own; they belong to the number next to them.
pub(super) const WHOLE: usize = 7;

/// Converts a digit of any script to ASCII, and any plus sign to `+`.
pub(super) fn ascii(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    if matches!(c, '\u{ff0b}' | '\u{fe62}' | '\u{2795}') {
        return '+';
    }
    let value = |zero: char| u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10);
    ZEROS.into_iter().find_map(value).and_then(|value| char::from_digit(value, 10)).unwrap_or(c)
}

/// Returns the number of digits in a text.
pub(super) fn digits(text: &str) -> usize {
    text.chars().map(ascii).filter(char::is_ascii_digit).count()
}
