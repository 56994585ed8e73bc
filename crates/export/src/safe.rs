use std::borrow::Cow;

/// A text from outside as a cell of CSV that no spreadsheet runs as a formula: with `'` before it, where it begins
/// like one. A number in any usual writing begins with `+` or `-` and stays as it is.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    if runs(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn runs(text: &str) -> bool {
    match text.trim_start().bytes().next() {
        Some(b'=' | b'@') => true,
        Some(b'+' | b'-') => !text.replace(" ext ", " ").chars().all(is_of_a_number),
        _ => text.starts_with(['\t', '\r', '\n']),
    }
}

/// U+FFFD stands for a character that no database keeps.
fn is_of_a_number(char: char) -> bool {
    char.is_ascii_digit() || "+-.()/; \u{a0}\u{fffd}".contains(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_made_safe() {
        for text in [
            "=1+1",
            "@SUM(A1)",
            "+cmd|' /C calc'!A0",
            "-2+A1",
            "\tx",
            "\r=1",
            " =1",
            "+4512345678;=HYPERLINK(\"http://x\")",
        ] {
            assert_eq!(cell(text), format!("'{text}"));
        }
    }

    #[test]
    fn numbers_and_words_stay_as_they_are() {
        for text in [
            "",
            "+4512345678",
            "+4512345678;+4512345679",
            "+1 (253) 000-00",
            "+14395700805 ext 12;+4512345678",
            "+4512345678;0170\u{fffd}1234567",
            "0170/1234567",
            "outcome unknown: time-out",
            "a=b",
        ] {
            assert_eq!(cell(text), text);
        }
    }
}
