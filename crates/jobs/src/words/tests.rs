use proptest::prelude::*;

use super::*;

fn sent() -> Known {
    Known::default()
        .with_key("k3y-0f-mine")
        .with("xc-4711")
        .with("27")
        .with("https://www.linkedin.com/in/jos%C3%A9-p/")
}

#[test]
fn what_is_private_is_masked_and_the_rest_stays() {
    for (text, shown) in [
        ("no such thing", "no such thing"),
        ("plain\r\n text\u{0}", "plain text"),
        ("token k3y-0f-mine is bad", "token [key] is bad"),
        ("token ****0f-mine is bad", "token ****[key] is bad"),
        ("K3Y-0F-M…", "[key]…"),
        ("call +45 12-34 (56) 78.", "call +[number]."),
        (
            "webhookUrl https://me.example/webhooks/ocean/1/abc is bad",
            "webhookUrl [address] is bad",
        ),
        ("write to <Jane.Doe@example.com>, please", "write to <[e-mail]>, please"),
        ("see hooks.example.com/a?b=c.", "see [address]."),
        ("host=db.internal:5432", "[address]"),
        ("WWW.EXAMPLE.COM", "[address]"),
        ("person xc-4711 and XC-4711x", "person [id] and [id]x"),
        ("27 of 127, or 27a", "[id] of 127, or 27a"),
        ("josé-p (jos%C3%A9-p) is private", "[id] ([id]) is private"),
        ("at most 500 of 1000", "at most 500 of 1000"),
        ("body.personIds: e.g. v2.5 is not 1.0", "body.personIds: e.g. v2.5 is not 1.0"),
        ("\u{202e}drow\u{202c} 12\u{200b}34567", "drow [number]"),
    ] {
        assert_eq!(masked(text, &sent()), shown, "{text:?}");
    }
}

#[test]
fn it_is_bounded() {
    let said = masked(&"word ".repeat(1_000_000), &sent());
    assert_eq!(said.chars().count(), LONGEST);
    assert!(said.ends_with('…'));
    assert_eq!(label(&"mobile".repeat(1_000)).chars().count(), LONGEST_LABEL);
    assert_eq!(label("Mobile\nphone"), "Mobile phone");
}

#[test]
fn a_terminal_is_not_steered() {
    assert_eq!(harmless("Note\u{1b}[2J\u{202e}x"), "Note [2J x");
    assert!(matches!(harmless("Grüße, 数"), Cow::Borrowed(_)));
}

#[test]
fn it_prints_nothing_of_what_was_sent() {
    assert_eq!(format!("{:?}", sent()), "Known(5 texts)");
}

/// Whether a text contains `part`, in any case.
fn has(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

proptest! {
    #[test]
    fn nothing_that_was_sent_survives(
        before in "[ -~äß]{0,80}",
        after in "\\PC{0,80}",
        key in "[A-Za-z0-9_-]{8,40}",
        id in "[A-Za-z0-9]{4,24}",
        part in 0_usize..3,
        mail in "[a-z]{1,9}@[a-z]{1,9}\\.[a-z]{2,5}",
        domain in "[a-z]{2,9}\\.[a-z]{2,9}\\.(com|io|example)",
        digits in "[0-9]{7,15}",
    ) {
        let known = Known::default().with_key(&key).with(&id);
        let text = format!("{before} {id}/{key} {} {mail} ({domain}) {digits} {after}{id}", &key[part..]);
        let shown = masked(&text, &known);
        prop_assert!(shown.chars().count() <= LONGEST);
        // The marks are our own words.
        let rest = shown.replace("[id]", "\u{1}").replace("[key]", "\u{1}").replace("[e-mail]", "\u{1}")
            .replace("[address]", "\u{1}").replace("[number]", "\u{1}");
        prop_assert!(!has(&rest, &id), "{}", shown);
        prop_assert!(key.as_bytes().windows(6).all(|part| !has(&rest, std::str::from_utf8(part).unwrap())), "{}", shown);
        prop_assert!(!rest.contains(&digits), "{}", shown);
        if !has(&mail, &id) && !has(&domain, &id) {
            prop_assert!(!rest.contains(&mail) && !rest.contains(&domain), "{}", shown);
        }
        let is_other = |c: char| c.is_control() && c != '\u{1}';
        prop_assert!(!rest.chars().any(is_other));
    }

    #[test]
    fn it_never_fails(text in "\\PC{0,300}", sent in "\\PC{0,12}", key in "\\PC{0,12}") {
        let known = Known::default().with_key(&key).with(&sent);
        prop_assert!(masked(&text, &known).chars().count() <= LONGEST);
    }
}
