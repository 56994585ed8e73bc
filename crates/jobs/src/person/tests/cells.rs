//! Cells as spreadsheets, scrapers and people leave them.

use proptest::prelude::*;

use super::super::{Identifier, IdentifierError as E, IdentifierKind};
use super::{near_address, slug};
use IdentifierKind::{CloduraPersonId, LinkedinUrl, OceanPersonId};

fn id(text: &str) -> Result<String, E> {
    Identifier::parse(CloduraPersonId, text).map(|id| id.value().to_owned())
}

const NO_PERSON: [&str; 52] = [
    "N/A",
    "#N/A",
    "n.a.",
    "n/a",
    "NA",
    "null",
    "NULL",
    "[null]",
    "<null>",
    "\\N",
    "none",
    "None",
    "nil",
    "nan",
    "NaN",
    "-",
    "--",
    "—",
    "–",
    "_",
    ".",
    "…",
    "?",
    "???",
    "0",
    "00",
    "0.0",
    "0,00",
    "000000000000000000000000",
    "00000000-0000-0000-0000-000000000000",
    "unknown",
    "Unknown",
    "undefined",
    "(No value)",
    "no value",
    "(blank)",
    "(empty)",
    "Not available",
    "not found",
    "TBD",
    "FALSE",
    "#REF!",
    "#VALUE!",
    "#NAME?",
    "#DIV/0!",
    "#NUM!",
    "#NULL!",
    "#NV",
    "#WERT!",
    "#¡REF!",
    "#####",
    "[]",
];

#[test]
fn cells_that_name_no_person() {
    for text in NO_PERSON {
        let wrapped = [
            text.to_owned(),
            text.to_lowercase(),
            text.to_uppercase(),
            format!(" {text}\u{a0}"),
            format!("\"{text}\""),
            format!("'{text}"),
            format!("=\"{text}\""),
        ];
        for text in wrapped {
            for kind in IdentifierKind::ALL {
                let error = Identifier::parse(kind, &text).expect_err(&text);
                assert!(error.is_absent(), "{kind} {text:?}: {error}");
            }
        }
    }
    for text in ["nando", "nullius", "p0", "6512bd43d9caa6e02c990b0a", "10", "a-0"] {
        assert!(id(text).is_ok(), "{text:?}");
    }
}

#[test]
fn dead_addresses_name_no_person() {
    for name in [
        "unavailable",
        "Undefined",
        "null",
        "me",
        "NaN",
        "none",
        "N-A",
        "unknown",
        "0",
        "-",
        "404",
        "not-found",
    ] {
        for text in [
            format!("https://www.linkedin.com/in/{name}"),
            format!("linkedin.com/in/{name}/?trk=x"),
            format!("/in/{name}."),
        ] {
            assert_eq!(slug(&text), Err(E::Placeholder), "{text:?}");
        }
    }
    for name in ["mercedes", "na-omi", "nulla", "unknown-artist-1a2b"] {
        assert_eq!(slug(&format!("linkedin.com/in/{name}")).as_deref(), Ok(name));
    }
}

#[test]
fn guards_of_spreadsheets_are_taken_off() {
    let one = "2751275603503088159";
    for text in [
        format!("=\"{one}\""),
        format!("'{one}"),
        format!("'{one}'"),
        format!("\"{one}\""),
        format!("{one}.0"),
        format!("{one}.00"),
        format!("=\"{one}.0\""),
        format!(" '{one}\u{a0}"),
        format!("<{one}>"),
    ] {
        assert_eq!(id(&text).as_deref(), Ok(one), "{text:?}");
    }
    assert_eq!(id("p1.0").as_deref(), Ok("p1.0"), "no number");
}

#[test]
fn damaged_ids_are_refused() {
    let table = [
        ("2.75128E+18", E::Shortened),
        ("2,75128E+18", E::Shortened),
        ("2.751275603503088e+18", E::Shortened),
        ("2.751275603503088E18", E::Shortened),
        ("3E+18", E::Shortened),
        ("=\"2.75128E+18\"", E::Shortened),
        ("2,751,275,603,503,088,159", E::Separators),
        ("=\"2,751,275,603,503,088,159\"", E::Separators),
        ("2.751.275.603", E::Separators),
        ("2'751'275", E::Separators),
        ("2 751 275", E::Separators),
        ("2\u{202f}751\u{202f}275", E::Separators),
        ("2751.5", E::Separators),
        ("=A2", E::Formula),
        ("=VLOOKUP(A1,B:C,2)", E::Formula),
        ("2751?75", E::LettersLost),
        ("6512bd43…", E::LettersLost),
        ("6512bd43...", E::LettersLost),
        ("6512bd43\u{fffd}", E::LettersLost),
        ("p1,p2", E::SeveralIds),
        ("p1;p2", E::SeveralIds),
    ];
    for (text, error) in table {
        assert_eq!(id(text), Err(error), "{text:?}");
    }
    // Hexadecimal digits that look like a power of ten.
    for text in ["651212434958610602990e10", "12e34"] {
        assert_eq!(id(text).as_deref(), Ok(text));
    }
    assert_eq!(
        E::Shortened.to_string(),
        "a spreadsheet shortened this id; format the column as text and export again"
    );
}

#[test]
fn addresses_are_read_however_they_are_wrapped() {
    for text in [
        "[Ann](https://www.linkedin.com/in/ann)",
        "=HYPERLINK(\"https://www.linkedin.com/in/ann\",\"Ann\")",
        "=HYPERLINK(\"https://www.linkedin.com/in/ann\";\"Ann\")",
        "=hyperlink(\"linkedin.com/in/ann\")",
        "<https://www.linkedin.com/in/ann>",
        "<a href=\"https://www.linkedin.com/in/ann\">Ann</a>",
        "(https://www.linkedin.com/in/ann)",
        "\"https://www.linkedin.com/in/ann\"",
        "'https://www.linkedin.com/in/ann",
        "https://https://www.linkedin.com/in/ann",
        "https://http://www.linkedin.com/in/ann",
        "https:/www.linkedin.com/in/ann",
        "https://www.linkedin.com:443/in/ann",
        "http://www.linkedin.com:80/in/ann",
        "/in/ann",
        "in/ann",
        "IN/Ann/",
        "https://www.linkedin.com/in/www.linkedin.com/in/ann",
        "https://www.linkedin.com/in/https://www.linkedin.com/in/ann",
        "https://www.linkedin.com/www.linkedin.com/in/ann",
        "https://www.linkedin.com/in/in/ann",
        "https://www.linkedin.com/in/ann&trk=x",
        "https://www.linkedin.com/in/ann&amp;trk=x",
        "https://www.linkedin.com/in/ann?trk",
        "https://www.linkedin.com/in/ann/?",
        "https://www.linkedin.com/in/%2561nn",
        "https%3A%2F%2Fwww.linkedin.com%2Fin%2Fann",
        "https://www.linkedin.com/in/ann.",
        "https://www.linkedin.com/in/ann,",
        "https://www.linkedin.com/in/ann;",
        "https://www.linkedin.com/in/ann)",
        "https://www.linkedin.com/in/ann/.",
        "https://www.linkedin.com/in/ann%20",
        "https://www.linkedin.com/in/ann!\"",
    ] {
        assert_eq!(slug(text).as_deref(), Ok("ann"), "{text:?}");
    }
    assert_eq!(slug("linkedin.com/in/j%25C3%25BCrgen").as_deref(), Ok("jürgen"));
    assert_eq!(slug("linkedin.com/in/comm").as_deref(), Ok("comm"));
}

#[test]
fn damaged_addresses_are_refused() {
    let table = [
        ("linkedin.com/in/j?rgen", E::LettersLost),
        ("linkedin.com/in/andr?", E::LettersLost),
        ("linkedin.com/in/m?ller?trk=x", E::LettersLost),
        ("linkedin.com/in/m?ller&trk=x", E::LettersLost),
        ("linkedin.com/in/j%3Frgen", E::LettersLost),
        ("linkedin.com/in/maria…", E::LettersLost),
        ("linkedin.com/in/maria...", E::LettersLost),
        ("linkedin.com/in/maria%E2%80%A6", E::LettersLost),
        ("linkedin.com/in/j\u{fffd}rgen", E::LettersLost),
        ("linkedin.com/in/j%EF%BF%BDrgen", E::LettersLost),
        ("linkedin.com/in/jÃ¼rgen", E::LettersLost),
        ("linkedin.com/in/renÃ‰e", E::LettersLost),
        ("https://www.linkedin.com/in/pub/ed/1/2/3", E::OldPublicAddress),
        ("/pub/ed/1/2/3", E::OldPublicAddress),
        ("linkedin.com/in/sales/lead/x", E::SalesNavigator),
        ("linkedin.com/in/company/x", E::CompanyPage),
        ("linkedin.com:x/in/ann", E::NotLinkedin),
        ("linkedin.com/in/in", E::BadSlug),
        ("linkedin.com/in/ann&bob", E::BadSlug),
        ("linkedin.com/in/ann@example.com", E::BadSlug),
        ("[Ann](https://example.com/in/ann)", E::NotLinkedin),
        ("ann", E::NotLinkedin),
    ];
    for (text, error) in table {
        assert_eq!(slug(text), Err(error), "{text:?}");
    }
}

#[test]
fn member_ids_keep_their_case_and_names_do_not() {
    for id in ["ACoAAAabCdE-_x", "ACwAAB1bcD2", "ACrAAAxYz"] {
        assert_eq!(slug(&format!("linkedin.com/in/{id}")).as_deref(), Ok(id));
    }
    assert_eq!(slug("linkedin.com/in/ACorreia").as_deref(), Ok("acorreia"));
    assert_eq!(slug("linkedin.com/in/ACME-Ann").as_deref(), Ok("acme-ann"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Characters around a text do not change which person it names.
    #[test]
    fn wrapping_changes_nothing(text in near_address(), wrap in 0usize..6) {
        let text = text.replace(['"', '\'', '`', '“', '”', '„', '‘', '’', '<', '>', '(', ')', '[', ']', '='], "");
        let wrapped = match wrap {
            0 => format!("=\"{text}\""),
            1 => format!("'{text}"),
            2 => format!("<{text}>"),
            3 => format!("[Ann]({text})"),
            4 => format!("=HYPERLINK(\"{text}\",\"Ann\")"),
            _ => format!("\u{a0}\"{text}\" "),
        };
        for kind in [LinkedinUrl, OceanPersonId] {
            let plain = Identifier::parse(kind, &text);
            let wrapped = Identifier::parse(kind, &wrapped);
            prop_assert_eq!(plain, wrapped);
        }
    }
}
