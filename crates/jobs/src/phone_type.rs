use std::fmt;

use crate::numbering::{Plan, Type, plans_of};

/// The kind of line that a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhoneType {
    /// A mobile phone.
    Mobile,
    /// A landline.
    FixedLine,
    /// Either: in some countries (the USA) a number doesn't show which.
    FixedOrMobile,
    /// Over the Internet.
    Voip,
    /// Free for the caller.
    TollFree,
    /// Expensive for the caller.
    PremiumRate,
    /// Paid by both sides.
    SharedCost,
    /// Follows a person from line to line.
    PersonalNumber,
    /// A pager.
    Pager,
    /// A company's number for all its places.
    Uan,
    /// A mailbox.
    Voicemail,
}

impl PhoneType {
    /// Every type.
    pub const ALL: [PhoneType; 11] = [
        PhoneType::Mobile,
        PhoneType::FixedLine,
        PhoneType::FixedOrMobile,
        PhoneType::Voip,
        PhoneType::TollFree,
        PhoneType::PremiumRate,
        PhoneType::SharedCost,
        PhoneType::PersonalNumber,
        PhoneType::Pager,
        PhoneType::Uan,
        PhoneType::Voicemail,
    ];

    /// The word in tables, views and exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PhoneType::Mobile => "mobile",
            PhoneType::FixedLine => "fixed_line",
            PhoneType::FixedOrMobile => "fixed_or_mobile",
            PhoneType::Voip => "voip",
            PhoneType::TollFree => "toll_free",
            PhoneType::PremiumRate => "premium_rate",
            PhoneType::SharedCost => "shared_cost",
            PhoneType::PersonalNumber => "personal_number",
            PhoneType::Pager => "pager",
            PhoneType::Uan => "uan",
            PhoneType::Voicemail => "voicemail",
        }
    }

    /// Returns the type that a provider's word names. A word for the place (`work`, `home`, `direct`, `hq`) says
    /// nothing about the line.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let letters = word.chars().filter(char::is_ascii_alphanumeric);
        let word = letters.collect::<String>().to_ascii_lowercase();
        Some(match word.as_str() {
            "mobile" | "mobilephone" | "mobilenumber" | "cell" | "cellphone" | "cellular"
            | "gsm" | "wireless" | "workmobile" | "personalmobile" | "mobiledirect"
            | "directmobile" => PhoneType::Mobile,
            "fixedline" | "fixed" | "landline" | "landlinephone" | "workfixed" | "worklandline" => {
                PhoneType::FixedLine
            }
            "fixedormobile" | "fixedlineormobile" | "mobileorfixed" | "mobileorlandline"
            | "landlineormobile" => PhoneType::FixedOrMobile,
            "voip" | "fixedvoip" | "nonfixedvoip" | "voipnumber" => PhoneType::Voip,
            "tollfree" | "freephone" => PhoneType::TollFree,
            "premiumrate" | "premium" => PhoneType::PremiumRate,
            "sharedcost" => PhoneType::SharedCost,
            "personalnumber" => PhoneType::PersonalNumber,
            "pager" => PhoneType::Pager,
            "uan" => PhoneType::Uan,
            "voicemail" => PhoneType::Voicemail,
            _ => return None,
        })
    }
}

impl fmt::Display for PhoneType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The type and the country of a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Classified {
    /// The type from the provider's word if it names one, otherwise from the numbering plan.
    pub kind: Option<PhoneType>,
    /// ISO 3166, two capital letters; `None` for numbers of no country.
    pub country: Option<&'static str>,
}

/// Classifies a number by the provider's word and by the numbering plan of its country.
#[must_use]
pub fn classify(e164: Option<&str>, word: Option<&str>) -> Classified {
    let said = word.and_then(PhoneType::of_word);
    let planned = e164.map(by_plan).unwrap_or_default();
    Classified { kind: said.or(planned.kind), ..planned }
}

/// Returns the place of the best mobile number among numbers of these types: the first that is mobile, otherwise the
/// first that may be.
#[must_use]
pub fn best_mobile<'a>(types: impl Iterator<Item = Option<&'a str>>) -> Option<usize> {
    let mut may_be = None;
    for (place, kind) in types.enumerate() {
        if kind == Some(PhoneType::Mobile.as_str()) {
            return Some(place);
        }
        if kind == Some(PhoneType::FixedOrMobile.as_str()) {
            may_be = may_be.or(Some(place));
        }
    }
    may_be
}

/// The types in the order in which they are tried: special types go first.
const TRIED: [(Type, PhoneType); 9] = [
    (Type::PremiumRate, PhoneType::PremiumRate),
    (Type::TollFree, PhoneType::TollFree),
    (Type::SharedCost, PhoneType::SharedCost),
    (Type::Voip, PhoneType::Voip),
    (Type::PersonalNumber, PhoneType::PersonalNumber),
    (Type::Pager, PhoneType::Pager),
    (Type::Uan, PhoneType::Uan),
    (Type::Voicemail, PhoneType::Voicemail),
    (Type::FixedLine, PhoneType::FixedLine),
];

fn by_plan(e164: &str) -> Classified {
    let Some((plans, national)) = plans_of(e164) else { return Classified::default() };
    let of = plans.iter().find_map(|plan| {
        let kind = planned(plan, national);
        plan.begins(national).unwrap_or(kind.is_some()).then_some((plan, kind))
    });
    // A country code that no other country shares shows the country, whatever the rest of the number.
    let only = || if let [plan] = plans { Some((plan, None)) } else { None };
    let Some((plan, kind)) = of.or_else(only) else { return Classified::default() };
    Classified { kind, country: plan.country() }
}

fn planned(plan: &Plan, national: &str) -> Option<PhoneType> {
    if !plan.has(national) {
        return None;
    }
    let mobile = || plan.has_type(Type::Mobile, national);
    match TRIED.into_iter().find(|(kind, _)| plan.has_type(*kind, national)) {
        Some((Type::FixedLine, _)) if mobile() => Some(PhoneType::FixedOrMobile),
        Some((_, kind)) => Some(kind),
        None => mobile().then_some(PhoneType::Mobile),
    }
}

#[cfg(test)]
mod tests {
    use phonenumber::metadata::{DATABASE, Descriptor};
    use proptest::prelude::*;

    use super::*;

    fn classified(e164: &str, word: &str) -> (&'static str, &'static str) {
        let phone = classify(Some(e164), Some(word));
        (phone.kind.map_or("", PhoneType::as_str), phone.country.unwrap_or(""))
    }

    #[test]
    fn the_providers_word_goes_before_the_plan() {
        for (word, kind) in [
            ("mobile", "mobile"),
            ("Mobile Phone", "mobile"),
            ("CELL", "mobile"),
            ("land-line", "fixed_line"),
            ("FIXED_LINE", "fixed_line"),
            ("FIXED_LINE_OR_MOBILE", "fixed_or_mobile"),
            ("nonFixedVoip", "voip"),
            ("Toll Free", "toll_free"),
        ] {
            assert_eq!(classified("+4533123456", word), (kind, "DK"), "{word}");
        }
    }

    #[test]
    fn without_a_word_the_plan_decides() {
        for (number, kind, country) in [
            ("+491701234567", "mobile", "DE"),
            ("+4930123456", "fixed_line", "DE"),
            ("+12015550123", "fixed_or_mobile", "US"),
            ("+14165550123", "fixed_or_mobile", "CA"),
            ("+18005550123", "toll_free", "US"),
            ("+447400123456", "mobile", "GB"),
            ("+442079460958", "fixed_line", "GB"),
            ("+390236618300", "fixed_line", "IT"),
            ("+79161234567", "mobile", "RU"),
            ("+77710009998", "mobile", "KZ"),
            ("+80012345678", "toll_free", ""),
            ("+11099773515", "", ""),
            ("+4999", "", "DE"),
            ("+999123456789", "", ""),
            ("", "", ""),
        ] {
            for word in ["", "work", "Direct Dial", "hq", "other"] {
                assert_eq!(classified(number, word), (kind, country), "{number} {word}");
            }
        }
        assert_eq!(classify(None, Some("mobile")).kind, Some(PhoneType::Mobile));
        assert_eq!(classify(None, None), Classified::default());
    }

    #[test]
    fn the_best_mobile_number_is_the_first_that_is_one() {
        let best = |types: &[&'static str]| best_mobile(types.iter().map(|kind| Some(*kind)));
        assert_eq!(best(&["fixed_line", "fixed_or_mobile", "mobile", "mobile"]), Some(2));
        assert_eq!(best(&["voip", "fixed_or_mobile", "fixed_or_mobile"]), Some(1));
        assert_eq!(best(&["voip", "fixed_line"]), None);
        assert_eq!(best_mobile([None].into_iter()), None);
    }

    #[test]
    fn every_example_of_every_country_is_classified() {
        for plan in DATABASE.iter().filter(|plan| plan.id() != "001") {
            let example = plan.descriptors().mobile().and_then(Descriptor::example);
            let Some(example) = example else { continue };
            let phone = by_plan(&format!("+{}{example}", plan.country_code()));
            let may_be_mobile =
                matches!(phone.kind, Some(PhoneType::Mobile | PhoneType::FixedOrMobile));
            assert!(may_be_mobile, "{} {:?}", plan.id(), phone.kind);
        }
    }

    #[test]
    fn words_are_read_back() {
        for kind in PhoneType::ALL {
            assert_eq!(PhoneType::of_word(kind.as_str()), Some(kind));
        }
    }

    proptest! {
        #[test]
        fn never_panics(e164 in r"\+?.{0,20}", word in ".{0,20}") {
            let _ = classify(Some(&e164), Some(&word));
        }
    }
}
