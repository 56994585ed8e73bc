use super::error::{IdentifierError, LONGEST_IDENTIFIER};

/// Removes the white space and the invisible characters that spreadsheets and browsers leave around a text.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c) || is_joiner(c))
}

pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// Joiners occur inside Persian and Indic names and inside emoji, never around them.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a text has lost letters: it was cut short, written in a character set without them, or read in a wrong one
/// (`jÃ¼rgen`).
pub(super) fn letters_were_lost(text: &str) -> bool {
    if text.is_ascii() {
        return text.contains("..");
    }
    let is_lead = |c| matches!(c, 'Â' | 'â' | 'Ã' | 'ã' | 'Ä' | 'ä' | 'Å' | 'å');
    let is_trail =
        |c| matches!(c, '\u{80}'..='\u{bf}' | '\u{2013}'..='\u{203a}' | '€' | '™' | 'ˆ' | '˜');
    let mut before = None;
    text.contains("..")
        || text.chars().any(|c| {
            let lead = before.replace(c).is_some_and(is_lead);
            matches!(c, '\u{fffd}' | '…') || (lead && is_trail(c))
        })
}

pub(super) fn not_too_long(text: &str) -> Result<(), IdentifierError> {
    // Bytes first: counting characters is needed for long texts only.
    if text.len() > LONGEST_IDENTIFIER && text.chars().count() > LONGEST_IDENTIFIER {
        return Err(IdentifierError::TooLong);
    }
    Ok(())
}

pub(super) fn contains_ignoring_case(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}
