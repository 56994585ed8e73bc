mod cells;

use proptest::prelude::*;

use super::{Identifier, IdentifierError, IdentifierKind, LONGEST_IDENTIFIER};
use IdentifierError as E;
use IdentifierKind::{CloduraPersonId, LinkedinUrl, OceanPersonId};

fn slug(text: &str) -> Result<String, IdentifierError> {
    Identifier::parse(LinkedinUrl, text).map(|id| id.value().to_owned())
}

#[test]
fn every_spelling_of_an_address_is_one_person() {
    let table: &[(&str, &[&str])] = &[
        (
            "brad-dickey",
            &[
                "linkedin.com/in/brad-dickey",
                "www.linkedin.com/in/brad-dickey",
                "http://linkedin.com/in/brad-dickey",
                "https://www.linkedin.com/in/brad-dickey/",
                "HTTPS://WWW.LinkedIn.COM/IN/Brad-Dickey",
                "//www.linkedin.com/in/brad-dickey",
                "https://uk.linkedin.com/in/brad-dickey",
                "https://m.linkedin.com/in/brad-dickey",
                "https://touch.linkedin.com/in/brad-dickey",
                "https://www.linkedin.com./in/brad-dickey",
                "https://www.linkedin.com/in/brad-dickey/en",
                "https://www.linkedin.com/in/brad-dickey/de-de/",
                "https://www.linkedin.com/in/brad-dickey/details/experience/",
                "https://www.linkedin.com/in/brad-dickey?trk=public_profile&x=/in/other",
                "https://www.linkedin.com/in/brad-dickey#about",
                "https://www.linkedin.com//in//brad-dickey",
                "https://www.linkedin.com/comm/in/brad-dickey",
                "https://www.linkedin.com/mwlite/in/brad-dickey",
                "https://www.linkedin.com/in/brad%2Ddickey",
                "https://www.linkedin.com/in/brad-dickey%20",
                "  \t\u{feff}https://www.linkedin.com/in/brad-dickey\u{200b}\r\n",
                "(https://www.linkedin.com/in/brad-dickey.\u{200d})",
            ],
        ),
        (
            "jürgen-müller",
            &[
                "https://www.linkedin.com/in/j%C3%BCrgen-m%C3%BCller",
                "https://www.linkedin.com/in/j%c3%bcrgen-m%c3%bcller/",
                "linkedin.com/in/jürgen-müller",
                "linkedin.com/in/JÜRGEN-MÜLLER",
                "linkedin.com/in/ju\u{308}rgen-mu\u{308}ller",
                "linkedin.com/in/j%75%CC%88rgen-m%C3%BCller",
            ],
        ),
        (
            "李雷-1a2b3c",
            &[
                "https://cn.linkedin.com/in/%E6%9D%8E%E9%9B%B7-1a2b3c",
                "linkedin.com/in/李雷-1A2B3C",
            ],
        ),
        (
            "ACoAAAabCdE",
            &["https://www.linkedin.com/in/ACoAAAabCdE", "LINKEDIN.com/in/ACoAAAabCdE?x=1"],
        ),
        (
            "acoaaaabcde",
            &["https://www.linkedin.com/in/acoAAAabCdE", "linkedin.com/in/ACOAAAabCdE"],
        ),
        ("o'brien_j.r~x", &["linkedin.com/in/O'Brien_J.R~x", "linkedin.com/in/o%27brien_j.r%7Ex"]),
    ];
    for (expected, spellings) in table {
        for text in *spellings {
            assert_eq!(slug(text).as_deref(), Ok(*expected), "{text:?}");
        }
    }
}

#[test]
fn what_is_no_profile_is_refused_with_the_reason() {
    let table = [
        ("", E::Empty),
        (" \u{a0}\u{feff}\t", E::Empty),
        ("https://www.linkedin.com/pub/jane-doe/1/2a/3b4", E::OldPublicAddress),
        ("https://www.linkedin.com/sales/lead/ACwAAA,NAME_SEARCH", E::SalesNavigator),
        ("https://www.linkedin.com/sales/people/ACwAAA", E::SalesNavigator),
        ("linkedin.com/SALES/", E::SalesNavigator),
        ("linkedin.com/sales", E::SalesNavigator),
        ("https://www.linkedin.com/talent/profile/AEMAAA", E::Recruiter),
        ("https://www.linkedin.com/recruiter/profile/1,2,3", E::Recruiter),
        ("https://www.linkedin.com/company/example", E::CompanyPage),
        ("https://www.linkedin.com/school/example", E::CompanyPage),
        ("https://www.linkedin.com/showcase/example", E::CompanyPage),
        ("https://www.linkedin.com/feed/update/1", E::NotAProfile),
        ("https://www.linkedin.com/profile/view?id=1", E::NotAProfile),
        ("https://www.linkedin.com", E::NotAProfile),
        ("https://www.linkedin.com?in/x", E::NotAProfile),
        ("https://www.linkedin.com?redirect=/in/jane", E::NotAProfile),
        ("https://www.linkedin.com/authwall?redirect=/in/jane", E::NotAProfile),
        ("https://lnkd.in/abc", E::ShortLink),
        ("https://example.com/in/jane", E::NotLinkedin),
        ("https://evil-linkedin.com/in/jane", E::NotLinkedin),
        ("https://linkedin.com.example.com/in/jane", E::NotLinkedin),
        ("https://jane@linkedin.com/in/jane", E::NotLinkedin),
        ("https://business.linkedin.com/in/jane", E::NotLinkedin),
        ("jane-doe", E::NotLinkedin),
        ("linkedin.com/in", E::BadSlug),
        ("linkedin.com/in/", E::BadSlug),
        ("linkedin.com/in/?x=y", E::BadSlug),
        ("linkedin.com/in/In", E::BadSlug),
        ("linkedin.com/in/%69%6E", E::BadSlug),
        ("linkedin.com/in/%", E::BadSlug),
        ("linkedin.com/in/j%C3", E::BadSlug),
        ("linkedin.com/in/j%2Fx", E::BadSlug),
        ("linkedin.com/in/jane;linkedin.com/in/joe", E::BadSlug),
        ("linkedin.com/in/jane, linkedin.com/in/joe", E::BadSlug),
        ("linkedin.com/in/jane doe", E::BadSlug),
        ("linkedin.com/in/ja\u{200b}ne", E::Invisible(0x200b)),
        ("linkedin.com/in/ja%00ne", E::Invisible(0)),
        // The loss shows only once accents have joined their letters.
        ("linkedin.com/in/a\u{303}\u{1ffd}", E::LettersLost),
    ];
    for (text, error) in table {
        assert_eq!(slug(text), Err(error), "{text:?}");
    }
    let long = format!("linkedin.com/in/{}", "ü".repeat(LONGEST_IDENTIFIER));
    assert!(slug(&long).is_ok());
    assert_eq!(slug(&format!("{long}ü")), Err(E::TooLong));
}

#[test]
fn messages_say_what_to_use_in_its_place() {
    for error in
        [E::SalesNavigator, E::Recruiter, E::OldPublicAddress, E::CompanyPage, E::ShortLink]
    {
        assert!(error.to_string().contains("linkedin.com/in/…"), "{error}");
    }
}

#[test]
fn ids_are_taken_as_they_are() {
    let id = |text: &str| Identifier::parse(OceanPersonId, text).map(|id| id.value().to_owned());
    assert_eq!(id(" 6512BD43d9caa6e02c990b0a\r\n").as_deref(), Ok("6512BD43d9caa6e02c990b0a"));
    assert_eq!(id("ocean:x").as_deref(), Ok("ocean:x"));
    assert_eq!(id(""), Err(E::Empty));
    assert_eq!(id("404.0"), id("404"));
    assert_eq!(id("404"), Err(E::Placeholder));
    assert_eq!(id("a b"), Err(E::WhiteSpace));
    assert_eq!(id("a\nb"), Err(E::WhiteSpace));
    assert_eq!(id("a\u{a0}b"), Err(E::WhiteSpace));
    assert_eq!(id("a\0b"), Err(E::Invisible(0)));
    assert_eq!(id("a\u{200b}b"), Err(E::Invisible(0x200b)));
    assert_eq!(id("https://www.linkedin.com/in/jane"), Err(E::AddressForId));
    assert_eq!(id("LinkedIn.com/in/jane"), Err(E::AddressForId));
    assert!(id(&"x".repeat(LONGEST_IDENTIFIER)).is_ok());
    assert_eq!(id(&"x".repeat(LONGEST_IDENTIFIER + 1)), Err(E::TooLong));
}

#[test]
fn encodes_for_the_ledger() {
    let encoded = |kind, text| Identifier::parse(kind, text).map(|id| id.encode());
    assert_eq!(encoded(OceanPersonId, "p1").as_deref(), Ok("ocean:p1"));
    assert_eq!(encoded(CloduraPersonId, "2751").as_deref(), Ok("clodura:2751"));
    let linkedin = encoded(LinkedinUrl, "https://linkedin.com/in/Jürgen");
    assert_eq!(linkedin.as_deref(), Ok("linkedin.com/in/jürgen"));
    for text in ["", "p1", "ocean", "ocean:", "linkedin.com/in/"] {
        assert_eq!(Identifier::decode(text), None, "{text:?}");
    }
}

#[test]
fn gives_providers_a_standard_address() {
    let url = |text| Identifier::parse(LinkedinUrl, text).map(|id| id.linkedin_url());
    assert_eq!(
        url("linkedin.com/in/Jürgen"),
        Ok(Some("https://www.linkedin.com/in/j%C3%BCrgen".into()))
    );
    assert_eq!(
        url("linkedin.com/in/ACoAAb"),
        Ok(Some("https://www.linkedin.com/in/ACoAAb".into()))
    );
    assert_eq!(Identifier::parse(OceanPersonId, "p1").map(|id| id.linkedin_url()), Ok(None));
}

/// Text that comes close to an address, so that the properties reach deep into the rules.
fn near_address() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![Just(""), Just("https://"), Just("HTTP://"), Just("//"), Just(" ")];
    let host = prop_oneof![
        8 => Just("linkedin.com"), 4 => Just("www.LinkedIn.com"), 1 => Just("de.linkedin.com"),
        1 => Just("example.com"), 1 => Just("")
    ];
    let page =
        prop_oneof![9 => Just("/in/"), 1 => Just("/pub/"), 1 => Just("/sales/"), 1 => Just("/")];
    let slug = prop_oneof![
        "[A-Za-z0-9%._-]{0,12}",
        "AC[a-z]AA[A-Za-z0-9]{0,8}",
        "\\PC{0,8}",
        any::<String>()
    ];
    let rest =
        prop_oneof![Just(""), Just("/"), Just("/en"), Just("?a=b"), Just("#c"), Just("%C3%BC")];
    (scheme, host, page, slug, rest).prop_map(|(a, b, c, d, e)| format!("{a}{b}{c}{d}{e}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn normalising_twice_changes_nothing(text in near_address()) {
        if let Ok(once) = Identifier::parse(LinkedinUrl, &text) {
            prop_assert_eq!(Identifier::parse(LinkedinUrl, &once.encode()), Ok(once.clone()));
            let url = once.linkedin_url().unwrap();
            prop_assert_eq!(Identifier::parse(LinkedinUrl, &url), Ok(once));
        }
    }

    #[test]
    fn percent_encoding_makes_no_difference(name in "[\\p{L}\\p{N}_-]{1,20}") {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let plain = slug(&format!("linkedin.com/in/{name}"));
        prop_assert_eq!(slug(&format!("linkedin.com/in/{encoded}")), plain);
    }

    #[test]
    fn whatever_is_parsed_survives_the_ledger(text in any::<String>(), near in near_address()) {
        for kind in IdentifierKind::ALL {
            for text in [&text, &near] {
                if let Ok(id) = Identifier::parse(kind, text) {
                    prop_assert_eq!(Identifier::decode(&id.encode()), Some(id));
                }
            }
        }
    }
}
