use std::borrow::Cow;

use super::text::trim;

/// The text that a cell stands for, without what spreadsheets and editors put around it: white
/// space, quotes and brackets, `="…"`, a leading `'`, a link's label.
pub(super) fn content(text: &str) -> &str {
    let mut inner = trim(text);
    while let Some(next) = unwrapped(inner).map(trim).filter(|next| next.len() < inner.len()) {
        inner = next;
    }
    inner
}

fn unwrapped(text: &str) -> Option<&str> {
    const PAIRS: [(char, char); 9] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('“', '”'),
        ('„', '“'),
        ('‘', '’'),
        ('<', '>'),
        ('(', ')'),
        ('[', ']'),
    ];
    // Nearly every text begins with a letter or a digit.
    let first = text.chars().next().filter(|c| !c.is_alphanumeric())?;
    let pair = PAIRS.iter().find(|(open, _)| *open == first);
    if let Some(inner) = pair.and_then(|(open, close)| {
        text.strip_prefix(*open)?.strip_suffix(*close).filter(|inner| !inner.contains(*close))
    }) {
        return Some(inner);
    }
    match first {
        '\'' => text.strip_prefix('\''),
        '=' => formula(text),
        '[' => text.strip_suffix(')')?.split_once("](").map(|(_, address)| address),
        '<' => text.split_once("href=\"")?.1.split('"').next(),
        _ => None,
    }
}

/// The text of `="…"` and the address of `=HYPERLINK("…", …)`.
fn formula(text: &str) -> Option<&str> {
    let formula = text.strip_prefix('=')?.trim_start();
    let quoted = match formula.get(..9) {
        Some(name) if name.eq_ignore_ascii_case("hyperlink") => {
            let argument = formula[9..].trim_start().strip_prefix('(')?.trim_start();
            return argument.strip_prefix('"')?.split('"').next();
        }
        _ => formula.strip_prefix('"')?.strip_suffix('"')?,
    };
    (!quoted.contains('"')).then_some(quoted)
}

/// Words that people, spreadsheets and programs write where nothing is known, in the form that [`key`] returns.
const PLACEHOLDERS: [&str; 46] = [
    "404",
    "blank",
    "deleted",
    "empty",
    "error",
    "false",
    "ka",
    "missing",
    "na",
    "nan",
    "nil",
    "no",
    "nodata",
    "nolinkedin",
    "nolinkedinprofile",
    "nolinkedinurl",
    "none",
    "nonefound",
    "noprofile",
    "noresult",
    "noresults",
    "notapplicable",
    "notavailable",
    "notfound",
    "notknown",
    "notprovided",
    "notset",
    "notspecified",
    "nourl",
    "novalue",
    "null",
    "nullptr",
    "pending",
    "private",
    "redacted",
    "removed",
    "tba",
    "tbc",
    "tbd",
    "true",
    "unavailable",
    "undefined",
    "unknown",
    "unspecified",
    "void",
    "yes",
];

/// Whether a cell's content names no person: `N/A`, `null`, `0`, `-`, `#REF!`, `(No value)`, …
pub(super) fn is_placeholder(content: &str) -> bool {
    /// Longer than any placeholder with its signs.
    const LONGEST: usize = 26;
    if content.bytes().all(|byte| matches!(byte, b'0' | b'-' | b'.' | b',')) {
        return true;
    }
    // Lost letters have an error of their own.
    if content.len() > LONGEST || content.contains('\u{fffd}') {
        return false;
    }
    let key = key(content);
    key.is_empty()
        || is_spreadsheet_error(content)
        || content.eq_ignore_ascii_case("\\n")
        || PLACEHOLDERS.binary_search(&&*key).is_ok()
}

/// Letters and digits alone, in lower case.
fn key(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(text);
    }
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    Cow::Owned(letters.flat_map(char::to_lowercase).collect())
}

/// `#N/A`, `#REF!`, `#NAME?`, `#DIV/0!`, and their names in other languages (`#NV`, `#WERT!`).
fn is_spreadsheet_error(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|name| {
        name.chars()
            .all(|c| c.is_alphabetic() || matches!(c, '/' | '0' | '!' | '?' | '¡' | '¿' | '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_in_order() {
        assert!(PLACEHOLDERS.is_sorted());
    }

    #[test]
    fn what_is_put_around_a_text_is_taken_off() {
        let table = [
            ("a", "a"),
            (" \u{feff}a\u{a0} ", "a"),
            ("=\"a\"", "a"),
            ("= \"a\"", "a"),
            ("'a", "a"),
            ("'a'", "a"),
            ("\"a\"", "a"),
            ("“a”", "a"),
            ("<a>", "a"),
            ("(a)", "a"),
            ("[l](a)", "a"),
            ("[l] (a)", "[l] (a)"),
            ("=HYPERLINK(\"a\",\"l\")", "a"),
            ("=hyperlink( \"a\" ; \"l\" )", "a"),
            ("<a href=\"b\">l</a>", "b"),
            ("\"='a'\"", "='a'"),
            ("'=\"a\"", "a"),
            ("=A2", "=A2"),
            ("=\"a\"&\"b\"", "=\"a\"&\"b\""),
            ("a)", "a)"),
            ("\"", "\""),
            ("''", ""),
        ];
        for (text, expected) in table {
            assert_eq!(content(text), expected, "{text:?}");
        }
    }
}
