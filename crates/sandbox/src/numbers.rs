//! Made-up phone numbers: valid in form, from ranges that regulators keep free for films and fiction, so that no real
//! phone rings. The ranges are small; two people may well have the same number.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// One phone number of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// The number in E.164, as in `+12125550123`.
    pub e164: String,
    /// As the provider writes it: Ocean in E.164, Clodura in one of several forms, as in `+1212-555-0123`.
    pub raw: String,
    /// `mobile`, `work` or `direct`.
    pub kind: String,
}

/// Where a range begins and how many digits follow.
#[derive(Clone, Copy)]
struct Range {
    prefix: &'static str,
    digits: u32,
    kind: &'static str,
}

const fn range(prefix: &'static str, digits: u32, kind: &'static str) -> Range {
    Range { prefix, digits, kind }
}

/// By country, so that none is favoured for having more ranges. The mobile ranges of Ofcom (07700 900…) and ARCEP
/// (06 39 98…) are left out: libphonenumber counts them as never assigned, so a client may rightly refuse them.
const COUNTRIES: &[(&str, &[Range])] = &[
    // NANPA: 555-0100 to 555-0199 in every area code.
    (
        "1",
        &[
            range("20655501", 2, "mobile"),
            range("21255501", 2, "direct"),
            range("21355501", 2, "mobile"),
            range("30355501", 2, "mobile"),
            range("30555501", 2, "work"),
            range("31255501", 2, "mobile"),
            range("40455501", 2, "direct"),
            range("41555501", 2, "mobile"),
            range("50355501", 2, "mobile"),
            range("51255501", 2, "work"),
            range("61755501", 2, "mobile"),
            range("70255501", 2, "mobile"),
        ],
    ),
    // Ofcom: numbers for drama.
    (
        "44",
        &[
            range("2079460", 3, "work"),
            range("1134960", 3, "work"),
            range("1214960", 3, "direct"),
            range("1614960", 3, "work"),
            range("2920180", 3, "work"),
        ],
    ),
    // ARCEP: numbers for audiovisual works.
    (
        "33",
        &[
            range("19900", 4, "work"),
            range("26191", 4, "direct"),
            range("35301", 4, "work"),
            range("46571", 4, "work"),
            range("53649", 4, "work"),
        ],
    ),
    // Bundesnetzagentur: numbers for media.
    (
        "49",
        &[
            range("17139200", 2, "mobile"),
            range("3023125", 3, "work"),
            range("6990009", 3, "work"),
            range("4066969", 3, "direct"),
            range("8999998", 3, "work"),
        ],
    ),
    // ACMA: numbers for creative works.
    (
        "61",
        &[
            range("25550", 4, "work"),
            range("27010", 4, "direct"),
            range("35550", 4, "work"),
            range("37010", 4, "work"),
            range("75550", 4, "direct"),
            range("87010", 4, "work"),
        ],
    ),
];

/// `count` different numbers, decided by `person`.
pub(crate) fn made_up(person: Chance, count: usize, raw_forms: bool) -> Vec<Number> {
    let mut numbers: Vec<Number> = Vec::with_capacity(count);
    // The smallest range has 100 numbers, so skipping a repetition or two ends soon; the bound makes it certain.
    for nth in 0..64 {
        if numbers.len() == count {
            break;
        }
        let number = one(person.nth(nth), raw_forms);
        if numbers.iter().all(|known| known.e164 != number.e164) {
            numbers.push(number);
        }
    }
    numbers
}

fn one(chance: Chance, raw_forms: bool) -> Number {
    let (country, ranges) = chance.of("country").pick(COUNTRIES);
    let Range { prefix, digits, kind } = chance.of("range").pick(ranges);
    let serial = chance.of("serial").bits() % 10u64.pow(digits);
    let national = format!("{prefix}{serial:0width$}", width = digits as usize);
    let e164 = format!("+{country}{national}");
    let raw = if raw_forms { written(chance.of("form"), country, &national) } else { e164.clone() };
    Number { e164, raw, kind: kind.to_owned() }
}

/// Writes a number in one of the forms of people's address books.
fn written(chance: Chance, country: &str, national: &str) -> String {
    let (area, rest) = national.split_at(3);
    let (exchange, line) = rest.split_at(3);
    match chance.bits() % 5 {
        0 | 1 => format!("+{country}{area}-{exchange}-{line}"),
        2 => format!("+{country} {area} {exchange} {line}"),
        3 => format!("+{country} ({area}) {exchange}-{line}"),
        _ => format!("+{country}{national}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_valid_in_every_form() {
        for n in 0..3_000 {
            for number in made_up(Chance::new(1, "test").nth(n), 3, true) {
                let parsed = phonenumber::parse(None, &number.e164).expect("parses");
                assert!(phonenumber::is_valid(&parsed), "{}", number.e164);
                // Forms like +1439-570-0805, which Clodura documents, are read by their digits.
                let digits: String = number.raw.chars().filter(char::is_ascii_digit).collect();
                assert_eq!(format!("+{digits}"), number.e164, "{}", number.raw);
            }
        }
    }

    #[test]
    fn several_are_different() {
        for n in 0..500 {
            let numbers = made_up(Chance::new(2, "test").nth(n), 3, false);
            assert_eq!(numbers.len(), 3);
            assert_ne!(numbers[0].e164, numbers[1].e164);
            assert_ne!(numbers[1].e164, numbers[2].e164);
            assert_ne!(numbers[0].e164, numbers[2].e164);
        }
    }
}
