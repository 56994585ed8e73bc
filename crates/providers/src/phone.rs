use std::sync::Once;

use jobs::numbering::plans_of;
use jobs::outcome::Phone;
use jobs::words::label;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, PhoneNumber};

use crate::writing::{Written, on_keypad};

/// The digits of a number. E.164 allows 15; no subscriber anywhere has fewer than 7.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Longer than any way of writing a number; keeps a hostile text away from the parser.
const LONGEST: usize = 64;

/// A phone as the ledger keeps it: the provider's own writing, and E.164 if it is known.
#[must_use]
pub fn phone(raw: &str, kind: Option<&str>) -> Phone {
    let raw = raw.trim();
    let Written { number, extension } = Written::of(raw);
    let e164 = e164_of(&number);
    Phone::new(raw.to_owned(), e164, extension, kind.and_then(kind_of))
}

/// The provider's word for a type, fit to be kept.
pub(crate) fn kind_of(word: &str) -> Option<String> {
    Some(word.trim()).filter(|word| !word.is_empty()).map(label)
}

/// Normalises a number that is written internationally (`+…`, or `00…`) to E.164.
///
/// There is no default country: a national number could belong to any country, and gives `None`. So does a number
/// without a known country code, or of a length that its country doesn't have. A number need not be in use: ranges are
/// opened faster than any table lists them, and the number was paid for.
#[must_use]
pub fn to_e164(raw: &str) -> Option<String> {
    e164_of(&Written::of(raw).number)
}

/// Reads the text before the first letter; if that is not a number, reads letters as the digits of a keypad.
fn e164_of(number: &str) -> Option<String> {
    if number.len() > LONGEST {
        return None;
    }
    // A label comes first: `Mobile: +45…`.
    let number = number.trim_start_matches(|c: char| c != '+' && c != '(' && !c.is_ascii_digit());
    let before_letters = number.split(char::is_alphabetic).next().unwrap_or(number);
    international(before_letters).and_then(|text| normalised(&text)).or_else(|| {
        let dialled: String = number.chars().map(on_keypad).collect();
        international(&dialled).filter(|_| dialled != number).and_then(|text| normalised(&text))
    })
}

fn normalised(text: &str) -> Option<String> {
    let (plans, national) = plans_of(text)?;
    // A number that fits its country's plan is left as it is: the parser takes any leading digit
    // that could be a trunk prefix for one, and would turn +7 800 555 35 35 into +7 005 553 535.
    if plans.iter().any(|plan| plan.has(national) && plan.has_length(national)) {
        return Some(text.to_owned());
    }
    // Otherwise it may have a trunk prefix too many, as in +49 (0)170 1234567.
    if let Some(number) = parsed(text) {
        let e164 = number.format().mode(Mode::E164).to_string();
        // A longer one has an area code that the parser added: it makes +1 473 473 9805 of +1 473 9805.
        let is_longer = e164.len() > text.len();
        return Some(e164).filter(|e164| DIGITS.contains(&(e164.len() - 1)) && !is_longer);
    }
    // Or it is of a range that the tables don't know.
    plans.iter().any(|plan| plan.has_length_of_people(national)).then(|| text.to_owned())
}

/// Parses a number as the library does. Returns `None` if its country has no such number.
fn parsed(text: &str) -> Option<PhoneNumber> {
    // By default the library keeps fewer compiled patterns than there are countries: numbers from everywhere would compile
    // them over and over.
    static ROOM: Once = Once::new();
    ROOM.call_once(|| {
        if let Ok(mut patterns) = DATABASE.cache().lock() {
            patterns.set_capacity(1_000);
        }
    });
    phonenumber::parse(None, text).ok().filter(phonenumber::is_valid)
}

/// The digits behind a `+`, without punctuation.
fn international(number: &str) -> Option<String> {
    let number = number.split([',', ';', '#', '*']).next()?;
    let written: String = number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    let digits = written.strip_prefix('+').or_else(|| written.strip_prefix("00"))?;
    (DIGITS.contains(&digits.len()) && !digits.contains('+')).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use phonenumber::metadata::Descriptor;
    use proptest::prelude::*;

    #[track_caller]
    fn becomes(e164: &str, writings: &[&str]) {
        for raw in writings {
            assert_eq!(to_e164(raw).as_deref(), Some(e164), "{raw}");
        }
    }

    #[test]
    fn every_writing_of_a_number_becomes_one() {
        becomes(
            "+4512345678",
            &[
                "+4512345678",
                "+45 12 34 56 78",
                "004512345678",
                "(+45) 12-34.56/78",
                "tel:+4512345678",
            ],
        );
        becomes("+14395700805", &["+1439-570-0805", "+1 (439) 570-0805 ext. 12", "+14395700805x1"]);
        becomes("+442079460958", &["+44 (0)20 7946 0958", "+44\u{a0}20\u{2011}7946\u{2011}0958"]);
    }

    #[test]
    fn no_area_code_is_made_up() {
        assert_eq!(to_e164("+14739805"), None);
        becomes("+14734739805", &["+1 473 473 9805"]);
    }

    #[test]
    fn other_scripts_and_letters_are_read() {
        becomes(
            "+4520112200",
            &["+٤٥٢٠١١٢٢٠٠", "+۴۵ ۲۰ ۱۱ ۲۲ ۰۰", "＋４５ ２０１１ ２２００", "+४५२०११२२००"],
        );
        becomes("+18003569377", &["+1-800-FLOWERS", "+1 800 flowers", "tel:+1-800-FLOWERS"]);
        becomes(
            "+4520112200",
            &["Mobile: +45 20 11 22 00", "+45 20112200 (work)", "\u{202a}+45 20 11 22 00\u{202c}"],
        );
    }

    #[test]
    fn extensions_are_kept_separately() {
        for (raw, extension) in [
            ("+1 439 570 0805 ext 12", Some("12")),
            ("+1 439 570 0805 ext. 12", Some("12")),
            ("+1 439 570 0805, extension: 012", Some("012")),
            ("+14395700805x12", Some("12")),
            ("+14395700805 X 12", Some("12")),
            ("+14395700805;ext=12", Some("12")),
            ("tel:+1-439-570-0805;ext=12", Some("12")),
            ("+14395700805#12", Some("12")),
            ("+14395700805,,12", Some("12")),
            ("+1 439 570 0805", None),
            ("+1 439 570 0805 home 2", None),
        ] {
            let given = phone(raw, None);
            assert_eq!(given.e164.as_deref(), Some("+14395700805"), "{raw}");
            assert_eq!(given.extension.as_deref(), extension, "{raw}");
        }
        assert_eq!(phone("x12", None).extension, None);
    }

    #[test]
    fn only_trunk_prefixes_are_taken_off() {
        becomes("+491701234567", &["+49 (0)170 1234567", "+49170 1234567"]);
        becomes("+390236618300", &["+39 02 3661 8300", "+39 (0)2 36618300"]);
        becomes("+78005553535", &["+7 800 555-35-35"]);
        becomes("+3758001234567", &["+375 800 123 45 67"]);
        becomes("+79161234567", &["+7 916 123-45-67", "+7 8 916 123-45-67"]);
    }

    #[test]
    fn a_number_in_an_unused_range_is_still_a_number() {
        becomes("+11099773515", &["+11099773515"]);
    }

    #[test]
    fn no_guess_without_a_country() {
        for raw in [
            "",
            "+",
            "00",
            "12345678",
            "0170 1234567",
            "(415) 555-2671",
            "+999123456789",
            "+1 12",
            "+1 2530000",
            "+1 415 555 26711",
            "+45 1234567890123456",
            "++4512345678",
            "+45+12345678",
            "unknown",
            "٤٥١٢٣٤٥٦٧٨",
            "+49 (0)169//4",
            "1-800-FLOWERS",
            "+1-800-FLOWERSNOW",
        ] {
            assert_eq!(to_e164(raw), None, "{raw}");
        }
    }

    #[test]
    fn keeps_the_writing_and_the_type() {
        let given = phone(" 0170 1234567 ", Some("mobile"));
        assert_eq!((given.raw.as_str(), given.e164), ("0170 1234567", None));
        assert_eq!(given.kind.as_deref(), Some("mobile"));
        assert_eq!(phone("+4512345678", Some(" ")).kind, None);
    }

    #[test]
    fn prints_redacted() {
        assert!(!format!("{:?}", phone("+4512345678", None)).contains("4512"));
    }

    proptest! {
        #[test]
        fn never_panics(raw in ".{0,80}", digits in "[+0-9 ()x;#-]{0,30}") {
            let _ = (to_e164(&raw), to_e164(&digits));
        }

        #[test]
        fn settles_at_once(raw in r"\+[1-9][0-9]{5,15}") {
            if let Some(once) = to_e164(&raw) {
                prop_assert_eq!(to_e164(&once), Some(once.clone()));
                prop_assert!(DIGITS.contains(&(once.len() - 1)));
            }
        }
    }

    #[test]
    fn every_example_of_every_country_is_left_as_it_is() {
        for plan in DATABASE.iter() {
            let types = [plan.descriptors().fixed_line(), plan.descriptors().mobile()];
            for example in types.into_iter().flatten().filter_map(Descriptor::example) {
                let e164 = format!("+{}{example}", plan.country_code());
                if DIGITS.contains(&(e164.len() - 1)) {
                    assert_eq!(to_e164(&e164).as_deref(), Some(e164.as_str()), "{}", plan.id());
                }
            }
        }
    }
}
