//! The numbering plans of all countries, from the tables of libphonenumber. The patterns of a plan are compiled once, when
//! they are first needed: thousands of numbers a second are looked up.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

pub use phonenumber::Type;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex::{Regex, RegexBuilder};

/// Every type of line that plans know.
const TYPES: [Type; 10] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::Voip,
    Type::Uan,
    Type::PersonalNumber,
    Type::SharedCost,
    Type::PremiumRate,
    Type::Pager,
    Type::Voicemail,
];

/// The numbers of a country, or of a service that belongs to no country.
pub struct Plan {
    /// ISO 3166, two capital letters; `001` if the numbers belong to no country.
    id: &'static str,
    /// What the numbers begin with, where several countries share a country code.
    leading_digits: Option<Pattern>,
    all: Numbers,
    by_type: Vec<(Type, Numbers)>,
}

/// By country code. Of several countries with one code, the main one is first.
static PLANS: LazyLock<HashMap<u16, Vec<Plan>>> = LazyLock::new(|| {
    let plans_of =
        |code| Some((code, DATABASE.by_code(&code)?.into_iter().map(Plan::of).collect()));
    (1..1_000).filter_map(plans_of).collect()
});

/// Returns the plans of a number's country code, and the digits behind that code. No country code is a prefix of another.
#[must_use]
pub fn plans_of(e164: &str) -> Option<(&'static [Plan], &str)> {
    let digits = e164.strip_prefix('+')?;
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        Some((PLANS.get(&code.parse().ok()?)?.as_slice(), national))
    })
}

impl Plan {
    fn of(plan: &'static phonenumber::Metadata) -> Plan {
        let lines = plan.descriptors();
        let numbers = |kind| Some((kind, Numbers::of(lines.get(kind)?)));
        Plan {
            id: plan.id(),
            leading_digits: plan.leading_digits().map(|digits| Pattern::of(digits.as_str())),
            all: Numbers::of(lines.general()),
            by_type: TYPES.into_iter().filter_map(numbers).collect(),
        }
    }

    /// ISO 3166, two capital letters; `None` if the numbers belong to no country.
    #[must_use]
    pub fn country(&self) -> Option<&'static str> {
        Some(self.id).filter(|id| id.bytes().all(|byte| byte.is_ascii_uppercase()))
    }

    /// Whether a number begins like those of this country; `None` if the plan doesn't say how they begin.
    #[must_use]
    pub fn begins(&self, national: &str) -> Option<bool> {
        self.leading_digits.as_ref().map(|digits| digits.begins(national))
    }

    /// Whether the plan has such numbers, of any type.
    #[must_use]
    pub fn has(&self, national: &str) -> bool {
        self.all.contain(national)
    }

    /// Whether the plan has such numbers of this type.
    #[must_use]
    pub fn has_type(&self, kind: Type, national: &str) -> bool {
        self.of_types(&[kind]).any(|numbers| numbers.contain(national))
    }

    /// Whether numbers of any type have this length. The pattern of all types allows more.
    #[must_use]
    pub fn has_length(&self, national: &str) -> bool {
        self.of_types(&TYPES).any(|numbers| numbers.have_length(national))
    }

    /// Whether landlines or mobile phones have numbers of this length.
    #[must_use]
    pub fn has_length_of_people(&self, national: &str) -> bool {
        let kinds = [Type::FixedLine, Type::Mobile];
        self.of_types(&kinds).any(|numbers| numbers.have_length(national))
    }

    fn of_types(&self, kinds: &[Type]) -> impl Iterator<Item = &Numbers> {
        self.by_type.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, numbers)| numbers)
    }
}

/// The numbers of one type.
struct Numbers {
    lengths: &'static [u16],
    pattern: Pattern,
}

impl Numbers {
    fn of(numbers: &'static Descriptor) -> Numbers {
        let pattern = Pattern::of(numbers.national_number().as_str());
        Numbers { lengths: numbers.possible_length(), pattern }
    }

    fn contain(&self, national: &str) -> bool {
        (self.lengths.is_empty() || self.have_length(national)) && self.pattern.begins(national)
    }

    fn have_length(&self, national: &str) -> bool {
        u16::try_from(national.len()).is_ok_and(|length| self.lengths.contains(&length))
    }
}

/// A pattern of the tables, compiled when it is first needed.
struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn of(source: &'static str) -> Pattern {
        Pattern { source, compiled: OnceLock::new() }
    }

    /// Whether the text begins with what the pattern describes.
    fn begins(&self, text: &str) -> bool {
        let compile = || {
            // As the library does it: white space in a pattern means nothing. Numbers have ASCII digits.
            let anchored = format!("^(?:{})", self.source);
            RegexBuilder::new(&anchored).ignore_whitespace(true).unicode(false).build().ok()
        };
        self.compiled.get_or_init(compile).as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `check` with every plan and the same plan in the tables.
    fn each(check: impl Fn(&Plan, &phonenumber::Metadata)) {
        assert!(PLANS.values().flatten().count() > 240);
        for (code, plans) in &*PLANS {
            let tables = DATABASE.by_code(code).expect("the same code");
            assert_eq!(tables.len(), plans.len());
            plans.iter().zip(tables).for_each(|(plan, table)| check(plan, table));
        }
    }

    #[test]
    fn every_pattern_compiles() {
        each(|plan, _| {
            let numbers = plan.by_type.iter().map(|(_, numbers)| numbers).chain([&plan.all]);
            let patterns = numbers.map(|numbers| &numbers.pattern).chain(&plan.leading_digits);
            for pattern in patterns {
                pattern.begins("");
                assert!(matches!(pattern.compiled.get(), Some(Some(_))), "{}", pattern.source);
            }
        });
    }

    #[test]
    fn a_number_is_of_a_type_exactly_where_the_tables_say_so() {
        each(|plan, table| {
            let examples =
                TYPES.into_iter().filter_map(|kind| table.descriptors().get(kind)?.example());
            for national in examples.chain(["", "1", "12345678", "8005550123", "999999999999"]) {
                assert_eq!(plan.has(national), table.descriptors().general().is_match(national));
                for kind in TYPES {
                    let of = table.descriptors().get(kind);
                    let expected = of.is_some_and(|of| of.is_match(national));
                    assert_eq!(plan.has_type(kind, national), expected, "{kind:?} {national}");
                }
                let begins = table
                    .leading_digits()
                    .map(|digits| digits.find(national).is_some_and(|found| found.start() == 0));
                assert_eq!(plan.begins(national), begins, "{national}");
            }
        });
    }

    #[test]
    fn the_longest_code_is_not_taken_for_a_shorter_one() {
        let of = |e164| {
            plans_of(e164)
                .map(|(plans, national)| (plans.first().and_then(Plan::country), national))
        };
        assert_eq!(of("+4512345678"), Some((Some("DK"), "12345678")));
        assert_eq!(of("+12015550123"), Some((Some("US"), "2015550123")));
        assert_eq!(of("+35312345"), Some((Some("IE"), "12345")));
        assert_eq!(of("+80012345678"), Some((None, "12345678")));
        assert_eq!(of("+999123"), None);
        assert_eq!(of("4512345678"), None);
        assert_eq!(of("+"), None);
    }
}
