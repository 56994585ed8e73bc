//! What webhooks say, in every published shape and in shapes that the documents don't rule out.
#![allow(clippy::unwrap_used, clippy::panic)]

use jobs::Provider::{self, Clodura, Ocean};
use jobs::outcome::{Finding, PersonResult};
use proptest::prelude::*;
use providers::webhook::{Malformed, check};
use serde_json::{Value, json};

/// Parses a body, and checks that it is acknowledged if and only if it can be applied.
fn parse(provider: Provider, body: &[u8]) -> Result<Vec<PersonResult>, Malformed> {
    let parsed = providers::webhook::parse(provider, body);
    assert_eq!(check(provider, body), parsed.as_ref().map(|_| ()).map_err(Clone::clone));
    parsed.map(|reading| reading.results)
}

fn read(provider: Provider, body: &Value) -> Vec<PersonResult> {
    parse(provider, body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn malformed(provider: Provider, body: &[u8]) -> String {
    parse(provider, body).unwrap_err().to_string()
}

/// One person's finding as text: `2 credits: +45… mobile, 0170…`.
fn show(finding: &Finding) -> String {
    let Finding::Found { phones, credits } = finding else { return format!("{finding:?}") };
    let phones = phones.iter().map(|phone| {
        let number = phone.e164.as_deref().unwrap_or(&phone.raw);
        format!("{number} {}", phone.kind.as_deref().unwrap_or("-"))
    });
    let credits = credits.map_or("?".to_owned(), |credits| credits.to_string());
    format!("{credits} credits: {}", phones.collect::<Vec<_>>().join(", "))
}

#[track_caller]
fn says(provider: Provider, body: &Value, expected: &[(Option<&str>, &str)]) {
    let results = read(provider, body);
    let shown: Vec<_> =
        results.iter().map(|result| (result.person_id.as_deref(), show(&result.finding))).collect();
    let expected: Vec<_> = expected.iter().map(|(id, text)| (*id, (*text).to_owned())).collect();
    assert_eq!(shown, expected, "{body}");
}

fn ocean(status: Value, numbers: Value) -> Value {
    json!({"phones": [{"personId": "p", "status": status, "numbers": numbers}]})
}

fn clodura(status: &str, sources: Value) -> Value {
    let people = json!([{"personId": "1", "firstName": "A", "phoneNumbers": sources}]);
    json!({"trackingId": "69c2", "status": status, "people": people})
}

#[test]
fn ocean_as_published() {
    let body = json!({"phones": [
        {"personId": "p1", "status": "verified", "numbers": ["+4512345678"]},
        {"personId": "p2", "status": "verified", "numbers": ["+33600000000", "+4512121212"]},
        {"personId": "p3", "status": "notFound", "numbers": null},
        {"personId": "p4", "status": "inProgress"},
    ]});
    says(
        Ocean,
        &body,
        &[
            (Some("p1"), "? credits: +4512345678 -"),
            (Some("p2"), "? credits: +33600000000 -, +4512121212 -"),
            (Some("p3"), "NotFound"),
            (Some("p4"), "InProgress"),
        ],
    );
}

#[test]
fn ocean_with_variations() {
    let found = "? credits: +4512345678 -";
    for (status, numbers, expected) in [
        (json!("VERIFIED"), json!(["+4512345678"]), found),
        (json!("verified"), json!("+45 12 34 56 78"), found),
        (json!("verified"), json!(["+4512345678", "0045 12345678"]), found),
        (json!("verified"), json!([{"number": "+4512345678"}, null, "", {}]), found),
        (json!(null), json!(["+4512345678"]), found),
        // Verified, yet no number: perhaps paid for, so not a 'not found'.
        (json!("verified"), json!([]), "Unreadable"),
        (json!("verified"), json!(null), "Unreadable"),
        (json!("verified"), json!(["https://example.com/12345678"]), "Unreadable"),
        (json!("verified"), json!(["2026-01-31", 0.98765, "192.168.100.20"]), "Unreadable"),
        (json!(null), json!(["garbage"]), "Unreadable"),
        (json!("catchAll"), json!(["+4512345678"]), "Unreadable"),
        (json!("not_found"), json!(null), "NotFound"),
        (json!("inProgress"), json!(["+4512345678"]), "InProgress"),
        (json!("queued"), json!(null), "InProgress"),
        (json!(7), json!(null), "InProgress"),
        (json!(null), json!(null), "InProgress"),
        (json!("verified"), json!(["0170 1234567"]), "? credits: 0170 1234567 -"),
    ] {
        says(Ocean, &ocean(status, numbers), &[(Some("p"), expected)]);
    }
}

/// The word may have any length, and the number's field any name.
#[test]
fn the_word_for_a_type_is_short_and_identifies_no_person() {
    let word = format!("ask jane@example.com {}", "x".repeat(100));
    for field in ["number", "whatsapp"] {
        let results =
            read(Ocean, &ocean(json!("verified"), json!([{"type": word, field: "+4512345678"}])));
        let Finding::Found { phones, .. } = &results[0].finding else { panic!("not found") };
        let kind = phones[0].kind.as_deref().unwrap();
        assert!(kind.chars().count() <= 40 && !kind.contains("jane"), "{field}: {kind}");
    }
}

/// One person's entry in a body of the largest accepted size: looked through once, not once for each number.
#[test]
fn many_numbers_take_no_hour() {
    let numbers: Vec<String> = (0..30_000).map(|n| format!("0170 1{n:06}")).collect();
    let results = read(Ocean, &ocean(json!("verified"), json!([numbers, numbers])));
    let Finding::Found { phones, .. } = &results[0].finding else { panic!("not found") };
    assert_eq!(phones.len(), 30_000);
}

#[test]
fn ids_are_text_or_whole_numbers() {
    for (id, expected) in [
        (json!("p1"), Some("p1")),
        (json!(3602687943191298570u64), Some("3602687943191298570")),
        (json!(1e30), None),
        (json!(null), None),
        (json!(""), None),
        (json!({}), None),
    ] {
        let body = json!({"phones": [{"personId": id, "status": "notFound", "more": [1]}]});
        says(Ocean, &body, &[(expected, "NotFound")]);
    }
}

#[test]
fn clodura_standard_as_published() {
    let body = json!({
        "personId": "2751275603503088159", "firstName": "Brad", "lastName": "Dickey",
        "phoneNumbers": [{"raw_number": "+11099773515", "type": "mobile", "source": "partner"}],
    });
    says(Clodura, &body, &[(Some("2751275603503088159"), "1 credits: +11099773515 mobile")]);
}

#[test]
fn clodura_standard_with_variations() {
    for (numbers, expected) in [
        (json!([]), "NotFound"),
        (json!(null), "NotFound"),
        (json!(["+4512345678"]), "1 credits: +4512345678 -"),
        (json!([{"number": "+4512345678"}]), "1 credits: +4512345678 -"),
        (
            json!([{"raw_number": "+4512345678"}, {"raw_number": "+45 12345678", "type": "work"}]),
            "1 credits: +4512345678 work",
        ),
    ] {
        let body = json!({"personId": 2751, "phoneNumbers": numbers, "extra": {}});
        says(Clodura, &body, &[(Some("2751"), expected)]);
    }
    says(Clodura, &json!({"personId": "1"}), &[(Some("1"), "NotFound")]);
    says(Clodura, &json!({"phoneNumbers": []}), &[(None, "NotFound")]);
    says(Clodura, &json!({"personId": "1", "status": "pending"}), &[(Some("1"), "InProgress")]);
}

#[test]
fn clodura_by_source_as_published() {
    let sources = json!({
        "Clodura": {"status": "notFound"}, "SignalHire": {"status": "notFound"},
        "Findymail": {"mobile": ["+1439-570-0805"], "status": "found"},
    });
    says(Clodura, &clodura("success", sources), &[(Some("1"), "? credits: +14395700805 mobile")]);
}

#[test]
fn clodura_by_source_with_variations() {
    let found = "? credits: +4512345678 mobile";
    let out = json!({"status": "Insufficient Credits"});
    let none = json!({"status": "notFound"});
    for (sources, expected) in [
        (json!({"A": none}), "NotFound"),
        (json!({}), "NotFound"),
        (json!(null), "NotFound"),
        (json!({"A": none, "B": out}), "OutOfCredits"),
        (json!({"A": {"status": "insufficient_credits"}}), "OutOfCredits"),
        (json!({"A": out, "B": {"status": "Found", "mobile": "+4512345678"}}), found),
        (json!({"A": {"status": "found", "mobile": [{"raw_number": "+4512345678"}]}}), found),
        (
            json!({"A": {"status": "found", "x": [{"type": "mobile", "number": "+4512345678"}]}}),
            found,
        ),
        (
            json!({"A": {"status": "found", "mobile": [4512345678u64]}}),
            "? credits: 4512345678 mobile",
        ),
        (
            json!({"A": {"status": "found", "mobile": ["+4512345678"], "work": ["+4587654321"]},
                   "B": {"status": "found", "mobile": ["+45 12 34 56 78", "+33600000000"]}}),
            "? credits: +4512345678 mobile, +4587654321 work, +33600000000 mobile",
        ),
        (
            json!({"A": {"status": "found", "mobile": ["+4512345678"], "creditsUsed": 1000,
                   "requestId": "12345678", "lastSeen": "2026-01-31", "score": 123456, "emails": ["a1234567@b.c"]}}),
            found,
        ),
        // Found, yet no number: perhaps paid for, so not a 'not found'.
        (json!({"A": {"status": "found"}}), "Unreadable"),
        (json!({"A": {"status": "found"}, "B": out}), "Unreadable"),
        (json!({"A": none, "B": {"status": "queued"}}), "InProgress"),
        (json!({"A": none, "B": null, "C": "notFound"}), "NotFound"),
        (json!({"A": {"status": "notFound", "mobile": []}}), "NotFound"),
    ] {
        says(Clodura, &clodura("success", sources), &[(Some("1"), expected)]);
    }
}

#[test]
fn clodura_before_it_has_finished() {
    let none = json!({"A": {"status": "notFound"}});
    for status in ["processing", "failed", "?"] {
        says(Clodura, &clodura(status, none.clone()), &[(Some("1"), "InProgress")]);
    }
    for status in ["success", "SUCCESS", "finished", "Completed"] {
        says(Clodura, &clodura(status, none.clone()), &[(Some("1"), "NotFound")]);
    }
    says(Clodura, &json!({"status": "success", "people": []}), &[(None, "NotFound")]);
    says(Clodura, &json!({"status": "processing", "people": []}), &[]);
    let body = json!({"people": [{"personId": "1", "phoneNumbers": none}]});
    says(Clodura, &body, &[(Some("1"), "NotFound")]);
}

/// Results larger than any that is expected, and lists whose trees would take up to 500 MB.
#[test]
fn reads_bodies_whose_tree_fits_in_memory() {
    let list = |value: &str, several: usize| vec![value; several].join(",");
    let numbers = list(r#"{"number":"+4520123456","type":"mobile","status":"verified"}"#, 15);
    let person = format!(r#"{{"personId":"1","status":"found","numbers":[{numbers}]}}"#);
    let nested = format!("{}0{}", r#"{"":"#.repeat(99), "}".repeat(99));
    let cases = [
        (list(&person, 1), true),
        (list(&person, 500), true),
        (list("1", 50_000), true),
        (list("1", 2_000_000), false),
        (list("[]", 1_000_000), false),
        (list(r#"{"":0}"#, 500_000), false),
        (list(&nested, 6_000), false),
    ];
    for (list, readable) in cases {
        let body = format!(r#"{{"phones":[{list}]}}"#);
        let is_too_large = check(Ocean, body.as_bytes())
            .is_err_and(|error| error.to_string().starts_with("more values"));
        assert_eq!(is_too_large, !readable, "{}", &body[..40]);
    }
}

#[test]
fn says_what_is_missing_and_never_what_was_there() {
    for (provider, body, reason) in [
        (Ocean, r#"{"#, "no JSON (line 1, column 1)"),
        (Ocean, "", "no JSON (line 1, column 0)"),
        (Ocean, r#"{"people": "+4512345678"}"#, "none of the entries can be read"),
        (Ocean, r#"{"phones": "+4512345678"}"#, "none of the entries can be read"),
        (Ocean, r#"{"phones": ["+4512345678", null]}"#, "none of the entries can be read"),
        (Ocean, r#"{"phones": [{"a": 1}]}"#, "none of the entries can be read"),
        (
            Ocean,
            r#"{"phones": [{"who": 1, "status": "x"}, {"who": 2, "status": "x"}]}"#,
            "no entry names a person",
        ),
        (Ocean, "[]", "no person is listed in phones or results"),
        (Ocean, "3", "no person is listed in phones or results"),
        (Clodura, r#"["+4512345678"]"#, "no person is listed in people"),
        (Clodura, r#"{"trackingId": "1"}"#, "none of the entries can be read"),
        (Clodura, r#"{"people": "+4512345678"}"#, "none of the entries can be read"),
        (Clodura, r#"{"people": ["+4512345678"]}"#, "none of the entries can be read"),
    ] {
        assert_eq!(malformed(provider, body.as_bytes()), reason, "{body}");
    }
}

/// Bodies that other people's clients have received; each says the same as a good one.
#[test]
fn what_has_been_seen_elsewhere() {
    let found = "? credits: +4520112200 -";
    let good = r#"{"phones":[{"personId":"p-ann","status":"verified","numbers":["+4520112200"]}]}"#;
    let lone = good.replace("}]", r#","name":"\ud83d"}]"#);
    let mut latin = good.replace("}]", r#","name":"Jos~"}]"#).into_bytes();
    latin.iter_mut().filter(|byte| **byte == b'~').for_each(|byte| *byte = 0xe9);
    let bodies: [&[u8]; 12] = [
        good.as_bytes(),
        &include_bytes!("bodies/nan.json")[..],
        &include_bytes!("bodies/one-null-entry.json")[..],
        &include_bytes!("bodies/unknown-field.json")[..],
        &include_bytes!("bodies/results.json")[..],
        &[b"\xef\xbb\xbf", good.as_bytes()].concat(),
        &[b"[", good.as_bytes(), b"]"].concat(),
        &[b"{\"data\":", good.as_bytes(), b"}"].concat(),
        br#"[{"personId":"p-ann","status":"verified","numbers":["+4520112200"]}]"#,
        br#"{"data":[{"personId":"p-ann","status":"verified","numbers":["+4520112200"]}]}"#,
        lone.as_bytes(),
        &latin,
    ];
    for body in bodies {
        let results = parse(Ocean, body).unwrap();
        let shown: Vec<_> =
            results.iter().map(|r| (r.person_id.as_deref(), show(&r.finding))).collect();
        assert_eq!(shown, [(Some("p-ann"), found.to_owned())], "{}", String::from_utf8_lossy(body));
    }
    for (body, expected) in [
        (&include_bytes!("bodies/number-null.json")[..], "1 credits: +4520112200 mobile"),
        (include_bytes!("bodies/sanitized.json"), "1 credits: +4520112200 mobile"),
        (include_bytes!("bodies/partner-error.json"), "NotFound"),
    ] {
        for body in [body, &[b"[", body, b"]"].concat(), &[b"{\"data\":", body, b"}"].concat()] {
            let results = parse(Clodura, body).unwrap();
            assert_eq!(results[0].person_id.as_deref(), Some("2751275603503088159"));
            assert_eq!(show(&results[0].finding), expected, "{}", String::from_utf8_lossy(body));
        }
    }
    let results = parse(Clodura, include_bytes!("bodies/partner-error.json")).unwrap();
    assert_eq!(results[0].remark.as_deref(), Some("Wiza: error"));
}

#[test]
fn large_ids_are_exact() {
    for id in ["2751275603503088159", "18446744073709551616", "275127560350308815912345"] {
        let body = format!(r#"{{"phones": [{{"personId": {id}, "status": "notFound"}}]}}"#);
        assert_eq!(parse(Ocean, body.as_bytes()).unwrap()[0].person_id.as_deref(), Some(id));
    }
}

#[test]
fn what_is_read_elsewhere_is_said_and_what_is_passed_over_is_counted() {
    let reading =
        providers::webhook::parse(Ocean, include_bytes!("bodies/unknown-field.json")).unwrap();
    assert_eq!(reading.odd_fields.into_iter().collect::<Vec<_>>(), ["phone_number"]);
    let reading =
        providers::webhook::parse(Ocean, include_bytes!("bodies/one-null-entry.json")).unwrap();
    assert_eq!((reading.passed_over, reading.odd_fields.len()), (1, 0));
    let elsewhere = |field: &str, value: Value| {
        let body = json!({"phones": [{"personId": "p", "status": "verified", field: value}]});
        show(&parse(Ocean, body.to_string().as_bytes()).unwrap()[0].finding)
    };
    assert_eq!(elsewhere("value", json!("+45 20 11 22 00")), "? credits: +4520112200 -");
    assert_eq!(elsewhere("mobiles", json!([{"x": "+4520112200"}])), "? credits: +4520112200 -");
    assert_eq!(elsewhere("direct_line", json!("20 11 22 00")), "? credits: 20 11 22 00 -");
    for (field, value) in [
        ("value", json!("20112200")),
        ("mobile_updated", json!("2026-01-31")),
        ("phone_id", json!("+4520112200")),
        ("ip", json!("+1.2.3.4")),
        ("url", json!("https://x.y/+4520112200")),
        ("score", json!(20112200)),
    ] {
        assert_eq!(elsewhere(field, value), "Unreadable", "{field}");
    }
}

#[test]
fn one_number_in_several_forms_is_one() {
    for (entry, expected) in [
        (json!({"raw_number": "20 11 22 00", "sanitized_number": "+4520112200"}), "+4520112200 -"),
        (json!({"raw_number": null, "number": "+4520112200"}), "+4520112200 -"),
        (json!({"raw_number": "", "number": "+4520112200"}), "+4520112200 -"),
        (
            json!({"number": "+45 2011 2200", "phone": "+4520112201"}),
            "+4520112200 -, +4520112201 -",
        ),
        (json!("+4520112200 / +4520112201"), "+4520112200 -, +4520112201 -"),
        (json!("+4520112200 x1; +4520112200 x2"), "+4520112200 -, +4520112200 -"),
    ] {
        let found = format!("1 credits: {expected}");
        says(Clodura, &json!({"personId": "1", "phoneNumbers": [entry]}), &[(Some("1"), &found)]);
    }
    let body =
        json!({"personId": "1", "phoneNumbers": [{"raw_number": "ask reception", "type": "work"}]});
    says(Clodura, &body, &[(Some("1"), "Unreadable")]);
}

#[test]
fn hostile_bodies() {
    let deep = "[".repeat(100_000);
    let in_a_field = format!(r#"{{"phones": [{{"numbers": {deep}"#);
    let twice = br#"{"phones": 1, "phones": [{"status": "x", "status": "notFound"}]}"#;
    for provider in Provider::ALL {
        for body in [deep.as_bytes(), in_a_field.as_bytes(), b"\xff\xfe", b"1e999", b"\"\\ud800\""]
        {
            malformed(provider, body);
        }
    }
    assert_eq!(parse(Ocean, twice).unwrap()[0].finding, Finding::NotFound);
}

/// JSON made of the words of the published shapes, so that it reaches the readers.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "phones",
        "people",
        "personId",
        "phoneNumbers",
        "status",
        "numbers",
        "mobile",
        "type",
        "raw_number",
        "found",
        "notFound",
        "verified",
        "success",
        "Insufficient Credits",
        "+4512345678",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for provider in Provider::ALL {
            let _ = parse(provider, &body);
        }
    }

    #[test]
    fn every_number_of_a_good_entry_survives(ends in prop::collection::btree_set(0..10_000_000_u32, 1..8), joined in any::<bool>(), second in any::<bool>(), noise in any_json()) {
        let numbers: Vec<String> = ends.iter().map(|end| format!("+4520{end:07}")).map(|n| n[..11].to_owned()).collect();
        let value = if joined { json!(numbers.join(" / ")) } else { json!(numbers) };
        let entry = match second {
            true => json!({"personId": "p", "phone": {"status": "verified", "numbers": value}}),
            false => json!({"personId": "p", "status": "verified", "numbers": value, "noise": noise}),
        };
        let mut wanted = numbers;
        wanted.dedup();
        let body = json!({"phones": [null, entry, 3]});
        let results = parse(Ocean, body.to_string().as_bytes()).unwrap();
        let Finding::Found { phones, .. } = &results[0].finding else { panic!("not found") };
        prop_assert_eq!(phones.iter().filter_map(|phone| phone.e164.clone()).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn no_json_panics_and_found_has_numbers(body in any_json()) {
        let wrapped = [
            body.clone(),
            json!({"phones": body.clone()}),
            json!({"phones": [body.clone()]}),
            json!({"people": [body.clone()], "status": "success"}),
            json!({"people": [{"phoneNumbers": body.clone()}]}),
            json!({"personId": "1", "phoneNumbers": body}),
        ];
        for body in wrapped {
            for provider in Provider::ALL {
                for result in parse(provider, body.to_string().as_bytes()).into_iter().flatten() {
                    if let Finding::Found { phones, .. } = result.finding {
                        prop_assert!(!phones.is_empty());
                        let mut known: Vec<_> = phones.iter().filter_map(|p| Some((p.e164.clone()?, p.extension.clone()))).collect();
                        known.sort();
                        let all = known.len();
                        known.dedup();
                        prop_assert_eq!(known.len(), all);
                    }
                }
            }
        }
    }
}

#[test]
fn both_of_oceans_bodies_and_what_they_cost() {
    let first = json!({
        "phones": [{"personId": "p1", "status": "verified", "numbers": ["+4512345678"]}],
        "creditsUsed": 10.5,
    });
    let second = json!({
        "results": [
            {"personId": "p1", "phone": {"status": "verified", "numbers": ["+4512345678"]}},
            {"personId": "p2", "phone": {"status": "notFound", "numbers": null}},
        ],
        "creditsUsed": "10",
    });
    says(Ocean, &first, &[(Some("p1"), "? credits: +4512345678 -")]);
    let both = [(Some("p1"), "? credits: +4512345678 -"), (Some("p2"), "NotFound")];
    says(Ocean, &second, &both);
    let used = |body: &Value| {
        let read = providers::webhook::parse(Ocean, body.to_string().as_bytes()).unwrap();
        read.credits_used.map(|used| used.to_string())
    };
    assert_eq!(used(&first).as_deref(), Some("10.5"));
    assert_eq!(used(&second).as_deref(), Some("10"));
    assert_eq!(used(&json!({"phones": []})), None);
    assert_eq!(used(&json!({"phones": [], "creditsUsed": -1})), None);
}
