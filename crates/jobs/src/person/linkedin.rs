use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::error::IdentifierError;
use super::text::{is_invisible, is_joiner, letters_were_lost, not_too_long};

/// The slug of a profile's address in its one form.
pub(super) fn slug(address: &str) -> Result<String, IdentifierError> {
    // An address that was the parameter of another one has no slash of its own.
    if !address.contains('/') && address.contains("%2") {
        let decoded = decoded(address).ok_or(IdentifierError::NotLinkedin)?;
        return normal_slug(written_slug(&decoded)?);
    }
    normal_slug(written_slug(address)?)
}

/// The slug of a profile's address, as it is written there.
fn written_slug(text: &str) -> Result<&str, IdentifierError> {
    let text = without_schemes(text).split('#').next().unwrap_or_default();
    let (address, query) = match text.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (text, None),
    };
    let slug = slug_in(without_host(address)?)?;
    // A question mark that begins no query stands for a letter that was lost: /in/j?rgen.
    if address.ends_with(slug) && query.is_some_and(|query| !is_query(query)) {
        return Err(IdentifierError::LettersLost);
    }
    // Some programs lose the question mark instead: /in/ann&trk=x.
    Ok(match slug.split_once('&') {
        Some((name, rest)) if is_query(rest.strip_prefix("amp;").unwrap_or(rest)) => name,
        _ => slug,
    })
}

/// Removes the scheme, even if it is doubled.
fn without_schemes(text: &str) -> &str {
    let mut rest = text.trim_start_matches('/');
    while let Some(next) = ["https:", "http:"].into_iter().find_map(|scheme| {
        rest.get(..scheme.len())?.eq_ignore_ascii_case(scheme).then(|| &rest[scheme.len()..])
    }) {
        rest = next.trim_start_matches('/');
    }
    rest
}

/// Returns the path of an address, which may have no host: `in/ann`.
fn without_host(address: &str) -> Result<&str, IdentifierError> {
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    if host.eq_ignore_ascii_case("in") || host.eq_ignore_ascii_case("pub") {
        return Ok(address);
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdentifierError::NotLinkedin);
    }
    check_host(name).map(|()| path)
}

/// Accepts linkedin.com and the subdomains under which it serves profiles: `www`, the mobile ones, and a country's (`uk`).
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

/// The kind of a step of a path.
enum Step {
    /// `in`: a profile's slug follows.
    In,
    /// Says nothing by itself: a step of LinkedIn's mails and its light mobile site, or the
    /// beginning of an address that was put in front a second time.
    Prefix,
    /// The page of something else.
    Other(IdentifierError),
    /// Any other step, perhaps a slug.
    Name,
}

fn step(segment: &str) -> Step {
    let is = |words: &[&str]| words.iter().any(|word| segment.eq_ignore_ascii_case(word));
    if is(&["in"]) {
        Step::In
    } else if is(&["comm", "mwlite", "http:", "https:"]) || check_host(segment).is_ok() {
        Step::Prefix
    } else if is(&["pub"]) {
        Step::Other(IdentifierError::OldPublicAddress)
    } else if is(&["sales"]) {
        Step::Other(IdentifierError::SalesNavigator)
    } else if is(&["talent", "recruiter"]) {
        Step::Other(IdentifierError::Recruiter)
    } else if is(&["company", "school", "showcase"]) {
        Step::Other(IdentifierError::CompanyPage)
    } else {
        Step::Name
    }
}

fn slug_in(path: &str) -> Result<&str, IdentifierError> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    let mut is_profile = false;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match step(segment) {
            Step::In => is_profile = true,
            // People may be called `comm` or `pub`.
            _ if is_profile && is_last => return Ok(segment),
            Step::Prefix => {}
            // A template that was filled with N/A.
            Step::Name if is_profile && is_not_available(segment, segments.peek()) => {
                return Err(IdentifierError::Placeholder);
            }
            Step::Other(error) => return Err(error),
            Step::Name if is_profile => return Ok(segment),
            Step::Name => return Err(IdentifierError::NotAProfile),
        }
    }
    Err(if is_profile { IdentifierError::BadSlug } else { IdentifierError::NotAProfile })
}

fn is_not_available(segment: &str, next: Option<&&str>) -> bool {
    segment.eq_ignore_ascii_case("n") && next.is_some_and(|next| next.eq_ignore_ascii_case("a"))
}

/// Whether the text is a query, which follows a question mark: `trk=x&…`, or `trk` alone.
fn is_query(text: &str) -> bool {
    let first = text.trim_start_matches('&').split('&').next().unwrap_or_default();
    match first.split_once('=') {
        Some((name, _)) => {
            let stands_in_name = |c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '%' | '[' | ']')
            };
            !name.is_empty() && name.chars().all(stands_in_name)
        }
        None => first == "trk",
    }
}

/// The one form of a slug: percent-decoded, NFC, in lower case, except for member ids, in which case
/// matters.
fn normal_slug(slug: &str) -> Result<String, IdentifierError> {
    let decoded = decoded(slug).ok_or(IdentifierError::BadSlug)?;
    if letters_were_lost(&decoded) || decoded.contains('?') {
        return Err(IdentifierError::LettersLost);
    }
    let slug = decoded.trim_matches(|c| is_punctuation(c) || is_joiner(c));
    let value = match (is_member_id(slug), slug.is_ascii()) {
        (true, _) => slug.to_owned(),
        (false, true) => slug.to_ascii_lowercase(),
        (false, false) => slug.chars().flat_map(char::to_lowercase).nfc().collect(),
    };
    if let Some(c) = value.chars().find(|c| is_invisible(*c)) {
        return Err(IdentifierError::Invisible(u32::from(c)));
    }
    // Joining letters and accents may leave characters that stand for lost letters.
    if letters_were_lost(&value) {
        return Err(IdentifierError::LettersLost);
    }
    // `in` is a step of the path, not a name, however it is written.
    if value.is_empty() || value == "in" || !value.chars().all(may_stand_in_slug) {
        return Err(IdentifierError::BadSlug);
    }
    if is_dead(&value) {
        return Err(IdentifierError::Placeholder);
    }
    not_too_long(&value)?;
    Ok(value)
}

/// Characters that a sentence, a list or a link's mark-up leaves at the ends of an address.
fn is_punctuation(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(c, '.' | ',' | ';' | ':' | '!' | '"' | '\'' | '`' | '*' | '”' | '’' | '»')
        || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>')
}

/// Member ids are bytes in base 64: `ACoAA…`, `ACwAA…`.
pub(super) fn is_member_id(slug: &str) -> bool {
    let stands_in_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    matches!(slug.as_bytes(), [b'A', b'C', b'a'..=b'z', b'A', b'A', ..])
        && slug.bytes().all(stands_in_id)
}

/// Whether a slug leads to no profile, or to the reader's own. LinkedIn and programs write such slugs where they have none.
fn is_dead(slug: &str) -> bool {
    const DEAD: [&str; 21] = [
        "404",
        "blank",
        "empty",
        "false",
        "me",
        "n-a",
        "n.a",
        "na",
        "nan",
        "nil",
        "no-value",
        "none",
        "not-available",
        "not-found",
        "notfound",
        "novalue",
        "null",
        "true",
        "unavailable",
        "undefined",
        "unknown",
    ];
    let is_filler = |c: char| c == '0' || (c.is_ascii() && !c.is_ascii_alphanumeric());
    DEAD.contains(&slug) || slug.chars().all(is_filler)
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

/// Percent-decodes a text as often as it was encoded; `None` if an escape is cut short or the bytes are not UTF-8.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    /// More rounds than programs in a row encode an address.
    const MOST_ROUNDS: usize = 4;
    let mut text = Cow::Borrowed(text);
    for _ in 0..MOST_ROUNDS {
        if !text.contains('%') {
            break;
        }
        text = Cow::Owned(decoded_once(&text)?);
    }
    Some(text)
}

fn decoded_once(text: &str) -> Option<String> {
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
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
