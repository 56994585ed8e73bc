use jobs::outcome::Phone;
use phonenumber::Mode;

/// E.164 allows 15 digits; a shorter one than this is no subscriber's anywhere.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Longer than any way of writing a number; keeps a hostile text away from the parser.
const LONGEST: usize = 64;

/// A phone as the ledger keeps it: the provider's own writing, and E.164 where that can be told.
#[must_use]
pub fn phone(raw: &str, kind: Option<&str>) -> Phone {
    let raw = raw.trim();
    let kind = kind.map(str::trim).filter(|kind| !kind.is_empty());
    Phone { raw: raw.to_owned(), e164: to_e164(raw), kind: kind.map(str::to_owned) }
}

/// Normalises a number that is written internationally (`+…`, or `00…`) to E.164.
///
/// There is no default country: a national number could be anybody's, and is given back as
/// `None`. So is what is no number of a known country code. A number need not be in use: ranges
/// are opened faster than any table of them is updated, and it was paid for.
#[must_use]
pub fn to_e164(raw: &str) -> Option<String> {
    let raw = raw.trim();
    if raw.len() > LONGEST {
        return None;
    }
    let text = match raw.strip_prefix("00") {
        Some(international) => format!("+{international}"),
        None => raw.to_owned(),
    };
    if !text.starts_with('+') {
        return None;
    }
    let number = phonenumber::parse(None, &text).ok()?;
    let e164 = number.format().mode(Mode::E164).to_string();
    DIGITS.contains(&(e164.len() - 1)).then_some(e164)
}
