use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::{IdentifierError, is_invisible, not_too_long, trim};

/// The slug of a profile's address in its one form.
pub(super) fn slug(address: &str) -> Result<String, IdentifierError> {
    normal_slug(written_slug(address)?)
}

/// The slug of a profile's address, as it is written there.
fn written_slug(text: &str) -> Result<&str, IdentifierError> {
    let rest = without_scheme(text).split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    check_host(host)?;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    // Links in LinkedIn's mails and in its light mobile site carry one more step in front.
    segments.next_if(|s| s.eq_ignore_ascii_case("comm") || s.eq_ignore_ascii_case("mwlite"));
    let page = segments.next().unwrap_or_default();
    match page.to_ascii_lowercase().as_str() {
        "in" => segments.next().ok_or(IdentifierError::BadSlug),
        "pub" => Err(IdentifierError::OldPublicAddress),
        "sales" => Err(IdentifierError::SalesNavigator),
        "talent" | "recruiter" => Err(IdentifierError::Recruiter),
        "company" | "school" | "showcase" => Err(IdentifierError::CompanyPage),
        _ => Err(IdentifierError::NotAProfile),
    }
}

fn without_scheme(text: &str) -> &str {
    let stripped = ["https://", "http://", "//"].into_iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
    });
    stripped.unwrap_or(text)
}

/// Lets pass linkedin.com and the subdomains under which it serves profiles: `www`, the mobile
/// ones, and a country's (`uk`).
fn check_host(host: &str) -> Result<(), IdentifierError> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let served = match host.strip_suffix("linkedin.com") {
        Some("" | "www." | "m." | "mobile." | "touch.") => true,
        Some(country) => match country.as_bytes() {
            [a, b, b'.'] => a.is_ascii_lowercase() && b.is_ascii_lowercase(),
            _ => false,
        },
        None => false,
    };
    match host.as_str() {
        _ if served => Ok(()),
        "lnkd.in" => Err(IdentifierError::ShortLink),
        _ => Err(IdentifierError::NotLinkedin),
    }
}

/// The one form of a slug: percent-decoded, NFC, in lower case, except for member ids (`ACo…`), in
/// which case matters.
fn normal_slug(slug: &str) -> Result<String, IdentifierError> {
    let decoded = percent_decoded(slug).ok_or(IdentifierError::BadSlug)?;
    let slug = trim(&decoded);
    let value = match (slug.starts_with("ACo"), slug.is_ascii()) {
        (true, true) => slug.to_owned(),
        (true, false) => slug.nfc().collect(),
        (false, true) => slug.to_ascii_lowercase(),
        (false, false) => slug.chars().flat_map(char::to_lowercase).nfc().collect(),
    };
    if let Some(c) = value.chars().find(|c| is_invisible(*c)) {
        return Err(IdentifierError::Invisible(u32::from(c)));
    }
    if value.is_empty() || !value.chars().all(may_stand_in_slug) {
        return Err(IdentifierError::BadSlug);
    }
    not_too_long(&value)?;
    Ok(value)
}

/// Strict about ASCII, so that two addresses in one cell, or a delimiter that was escaped, are
/// noticed; tolerant beyond it, since old slugs hold letters of every script, and emoji.
fn may_stand_in_slug(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '\'')
    } else {
        !c.is_whitespace()
    }
}

/// None where an escape is cut short or the bytes are no UTF-8.
fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (high, low) = (hex(*after.first()?)?, hex(*after.get(1)?)?);
            bytes.push(high << 4 | low);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
