//! Words of others, made fit for logs, tables and pages. A provider may say in an error whatever it was sent, and whatever
//! it knows of a person; a file's header may hold what steers a terminal.

mod known;
mod patterns;

use std::borrow::Cow;

pub use self::known::Known;

/// The longest text that is kept, in characters: enough for a sentence.
pub const LONGEST: usize = 300;

/// The longest name of a type, a source or a field.
pub const LONGEST_LABEL: usize = 40;

/// What is looked at of a text, so that a page of megabytes costs nothing. Far more than is shown: where it is cut, half an
/// id may stand.
const LOOKED_AT: usize = 16 * 1024;

/// Text from outside as one short line, without what is known to have been sent, e-mail addresses, web addresses and
/// domains, and anything like a phone number.
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

/// The name of a type, a source or a field, in the same way; shorter.
#[must_use]
pub fn label(text: &str) -> String {
    let usual = |c: char| c.is_alphabetic() || "_- ".contains(c);
    if text.len() <= LONGEST_LABEL && text.chars().all(usual) {
        return text.to_owned();
    }
    shorten(&masked(text, &Known::default()), LONGEST_LABEL)
}

/// The words of a text, up to so many bytes, in one line and without what can't be seen.
fn text_of(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    let text: String = text[..end.unwrap_or_default()]
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text of the user's own, fit for a terminal: what could steer one, or turn the direction of what is read, is shown as a
/// space.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || is_invisible(c);
    if text.chars().any(steers) {
        Cow::Owned(text.chars().map(|c| if steers(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Characters that show nothing, and those that say in which direction others are read. Joiners are part of names.
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
