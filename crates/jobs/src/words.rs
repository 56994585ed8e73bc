//! Makes text from outside fit for logs, tables and pages. A provider's error may repeat anything that it was
//! sent, and anything that it knows about a person; a file's header may hold characters that steer a terminal.

mod known;
mod patterns;

use std::borrow::Cow;

pub use self::known::Known;

/// The longest text that is kept, in characters: enough for a sentence.
pub const LONGEST: usize = 300;

/// The longest name of a type, a source or a field.
pub const LONGEST_LABEL: usize = 40;

/// The most bytes of a text that are looked at, so that a page of megabytes costs nothing. Far more than is shown: half
/// an id may be at the cut.
const LOOKED_AT: usize = 16 * 1024;

/// Returns text from outside as one short line, without texts that are known to have been sent, e-mail addresses, web
/// addresses and domains, and anything like a phone number.
///
/// ```
/// use jobs::words::{Known, masked};
///
/// let sent = Known::default().with_key("s3cr3t-k3y").with("p-4711");
/// let said = "Person p-4711: ask jane@example.com\nor +45 12 34 56 78 (key s3cr3t-k…)";
/// assert_eq!(masked(said, &sent), "Person [id]: ask [e-mail] or +[number] (key [key]…)");
/// ```
#[must_use]
pub fn masked(text: &str, known: &Known) -> String {
    let words = text_of(text, LOOKED_AT);
    let known = known.hidden_in(&words);
    shorten(&patterns::without_numbers(&patterns::without_addresses(&known)), LONGEST)
}

/// Masks the name of a type, a source or a field as [`masked`] does, but to a shorter text.
#[must_use]
pub fn label(text: &str) -> String {
    let usual = |c: char| c.is_alphabetic() || "_- ".contains(c);
    if text.len() <= LONGEST_LABEL && text.chars().all(usual) {
        return text.to_owned();
    }
    shorten(&masked(text, &Known::default()), LONGEST_LABEL)
}

/// Returns the words of a text, up to `most` bytes, in one line and without invisible characters.
fn text_of(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    let text: String = text[..end.unwrap_or_default()]
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes a text of the user's own fit for a terminal: characters that could steer a terminal, or turn the direction of
/// reading, become spaces.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || is_invisible(c);
    if text.chars().any(steers) {
        Cow::Owned(text.chars().map(|c| if steers(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a character shows nothing, or sets the reading direction of others. Joiners are part of names, and not
/// invisible.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
