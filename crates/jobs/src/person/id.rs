use super::cell::is_placeholder;
use super::error::IdentifierError;
use super::text::{contains_ignoring_case, is_invisible, letters_were_lost, not_too_long};

/// Checks an id as the provider gave it. Damage by a spreadsheet is undone or refused: a damaged id may be the id of
/// another person.
pub(super) fn checked(text: &str) -> Result<String, IdentifierError> {
    if text.contains("://") || contains_ignoring_case(text, "linkedin.com/") {
        return Err(IdentifierError::AddressForId);
    }
    if text.starts_with('=') {
        return Err(IdentifierError::Formula);
    }
    let text = without_decimals(text);
    if is_placeholder(text) {
        return Err(IdentifierError::Placeholder);
    }
    if is_shortened(text) {
        return Err(IdentifierError::Shortened);
    }
    if has_thousands_separators(text) {
        return Err(IdentifierError::Separators);
    }
    if let Some(c) = text.chars().find(|c| c.is_whitespace() || is_invisible(*c)) {
        let visible = matches!(c, ' ' | '\t' | '\n' | '\r') || !is_invisible(c);
        return Err(if visible {
            IdentifierError::WhiteSpace
        } else {
            IdentifierError::Invisible(u32::from(c))
        });
    }
    if letters_were_lost(text) || text.contains('?') {
        return Err(IdentifierError::LettersLost);
    }
    if text.contains([',', ';', '|']) {
        return Err(IdentifierError::SeveralIds);
    }
    not_too_long(text)?;
    Ok(text.to_owned())
}

/// Removes the `.0` that programs add to the numbers of a column with gaps.
fn without_decimals(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if all_digits(whole) && !zeros.is_empty() => {
            if zeros.bytes().all(|byte| byte == b'0') { whole } else { text }
        }
        _ => text,
    }
}

/// Whether the text is a number like `2.75128E+18`. It must have a fraction or a sign: an id of hexadecimal digits may
/// look like `12e34`.
fn is_shortened(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_number = all_digits(whole) && all_digits(fraction) && all_digits(digits);
    is_number && (whole.len() < mantissa.len() || digits.len() < exponent.len())
}

/// Whether the text is digits in groups (`2,751,275`), or digits with a fraction.
fn has_thousands_separators(text: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '.' | '\'' | '’');
    text.contains(is_separator) && text.split(is_separator).all(all_digits)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
