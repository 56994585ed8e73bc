use std::collections::HashSet;

use jobs::Provider;
use jobs::outcome::{Finding, PersonResult, Phone};
use jobs::words::{LONGEST, LONGEST_LABEL};
use providers::phone::to_e164;
use providers::webhook::{Reading, check, parse};

pub(crate) fn ocean(body: &[u8]) {
    holds(Provider::Ocean, body);
}

pub(crate) fn clodura(body: &[u8]) {
    holds(Provider::Clodura, body);
}

/// A body is read if and only if it is acknowledged. The results are no larger than the body, and fit to be kept.
fn holds(provider: Provider, body: &[u8]) {
    let parsed = parse(provider, body);
    let checked = check(provider, body);
    assert_eq!(
        checked,
        parsed.as_ref().map(|_| ()).map_err(Clone::clone),
        "acknowledged otherwise than applied"
    );
    let Ok(reading) = parsed else { return };
    assert_bounded(&reading, body.len());
    reading.results.iter().for_each(assert_fit_to_be_kept);
    // The repaired body is good JSON.
    if let Ok(json) = jobs::json::read(body) {
        let again = parse(provider, json.to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(&reading), "written as JSON it says something else");
    }
}

fn assert_bounded(reading: &Reading, bytes: usize) {
    let phones = reading.results.iter().map(|result| phones(result).len()).sum::<usize>();
    let entries = reading.results.len() + reading.passed_over + reading.odd_fields.len();
    assert!(entries + phones <= bytes, "{entries} entries and {phones} numbers in {bytes} bytes");
}

/// Checks one person's result.
pub(crate) fn assert_fit_to_be_kept(result: &PersonResult) {
    assert!(result.person_id.as_ref().is_none_or(|id| !id.is_empty() && !id.contains('\0')));
    assert!(result.remark.as_ref().is_none_or(|remark| remark.chars().count() <= LONGEST));
    let found = phones(result);
    assert_eq!(
        matches!(result.finding, Finding::Found { .. }),
        !found.is_empty(),
        "found means a number"
    );
    let mut seen = HashSet::new();
    for phone in found {
        assert_phone(phone);
        let number = phone.e164.as_ref().unwrap_or(&phone.raw);
        assert!(seen.insert((number, phone.e164.is_some(), &phone.extension)), "listed twice");
    }
}

fn phones(result: &PersonResult) -> &[Phone] {
    match &result.finding {
        Finding::Found { phones, .. } => phones,
        _ => &[],
    }
}

/// Checks a number as it is kept.
pub(crate) fn assert_phone(phone: &Phone) {
    assert!(!phone.raw.contains('\0'), "no text for Postgres");
    assert!(phone.kind.as_ref().is_none_or(|kind| kind.chars().count() <= LONGEST_LABEL));
    assert!(phone.extension.as_ref().is_none_or(|extension| {
        (1..=7).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_digit())
    }));
    let Some(e164) = &phone.e164 else { return };
    let digits = e164.strip_prefix('+').expect("E.164 begins with a plus");
    assert!(
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
        "{e164}"
    );
    assert_eq!(
        to_e164(e164).as_deref(),
        Some(e164.as_str()),
        "normalised once more it is another number"
    );
}
