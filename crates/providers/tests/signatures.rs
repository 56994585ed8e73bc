//! Only a holder of a secret can make a webhook's address.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jobs::Provider::{Clodura, Ocean};
use jobs::{CallId, Timestamp};
use proptest::prelude::*;
use providers::Signer;
use providers::signature::{DatedSecret, TAKEN_UP, WeakSecret};
use secrecy::SecretString;
use url::Url;

const CALL: &str = "01JC3V6Z5W8Q9R2T4Y6U8I0P1A";

/// A real call id, which contains the time of its creation.
const MADE: &str = "01JC3V6Z5W8Q9R2T4Y6V8J0P1A";
const NOW: Timestamp = Timestamp(2_000_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn secret(text: &str) -> SecretString {
    SecretString::from(format!("a secret of a test: {text}"))
}

fn signer(newest: &str, older: &[&str]) -> Signer {
    let texts = std::iter::once(&newest).chain(older);
    let secrets: Vec<_> = texts.enumerate().map(|(n, text)| dated(text, n)).collect();
    Signer::new(&secrets, NOW).unwrap()
}

/// A secret that was made one day and `days` more ago.
fn dated(text: &str, days: usize) -> DatedSecret {
    DatedSecret { secret: secret(text), made_at: NOW - days as u32 * DAY - DAY }
}

#[test]
fn what_was_signed_verifies() {
    let signer = signer("1", &[]);
    let signature = signer.sign(Ocean, CALL);
    assert!(signer.verify(Ocean, CALL, &signature));
    assert_eq!(signature.len(), 64);
    assert!(signature.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
}

#[test]
fn nothing_else_does() {
    let signer = signer("1", &[]);
    let signature = signer.sign(Ocean, CALL);
    assert!(!signer.verify(Clodura, CALL, &signature));
    assert!(!signer.verify(Ocean, "01JC3V6Z5W8Q9R2T4Y6U8I0P1B", &signature));
    assert!(!signer.verify(Ocean, "", &signature));
    for forged in ["", &signature[1..], &signature.to_uppercase(), &format!("{signature}0")] {
        assert!(!signer.verify(Ocean, CALL, forged), "{forged}");
    }
}

#[test]
fn older_secrets_verify_and_the_newest_signs() {
    let before = signer("1", &[]);
    let after = signer("2", &["1", "0"]);
    assert!(after.verify(Ocean, MADE, &before.sign(Ocean, MADE)));
    assert_eq!(after.sign(Ocean, MADE), signer("2", &[]).sign(Ocean, MADE));
    assert!(!before.verify(Ocean, MADE, &after.sign(Ocean, MADE)));
}

/// A leaked secret forges no call that was made after the secret was replaced.
#[test]
fn a_secret_verifies_the_calls_of_its_time() {
    let made_at = MADE.parse::<CallId>().unwrap().made_at();
    let old = |at| DatedSecret { secret: secret("old"), made_at: at };
    let new = |at| DatedSecret { secret: secret("new"), made_at: at };
    let signature = Signer::new(&[old(made_at - DAY)], made_at).unwrap().sign(Ocean, MADE);
    for (replaced, verifies) in [(made_at + DAY, true), (made_at, true), (made_at - DAY, false)] {
        let secrets = [new(replaced), old(made_at - 2 * DAY)];
        let signer = Signer::new(&secrets, made_at + 2 * DAY).unwrap();
        assert_eq!(signer.verify(Ocean, MADE, &signature), verifies, "{replaced:?}");
    }
}

/// Other processes must know the new secret first, or they would take results for forgeries.
#[test]
fn a_new_secret_verifies_at_once_and_signs_a_little_later() {
    let secrets = [dated("new", 0), dated("old", 1)];
    let made_at = secrets[0].made_at;
    let at = |now| Signer::new(&secrets, now).unwrap();
    let (old, new) =
        (at(made_at + TAKEN_UP / 2).sign(Ocean, CALL), at(made_at + TAKEN_UP).sign(Ocean, CALL));
    assert_eq!(old, Signer::new(&secrets[1..], NOW).unwrap().sign(Ocean, CALL));
    assert_eq!(new, Signer::new(&secrets[..1], NOW).unwrap().sign(Ocean, CALL));
    assert!(at(made_at).verify(Ocean, CALL, &new));
}

#[test]
fn a_released_signature_stays_as_it_is() {
    // Addresses signed by one version must be accepted by the next: results may be out for days.
    let signature = "562c2eb99baf2284af45b9e4adc4ec28004e1029cb134c2ea59c76c01f1b47a2";
    assert_eq!(signer("1", &[]).sign(Ocean, CALL), signature);
}

#[test]
fn weak_secrets_are_refused() {
    let weak = DatedSecret { secret: SecretString::from("fifteen bytes.."), made_at: NOW };
    assert_eq!(Signer::new(&[], NOW).map(|_| ()), Err(WeakSecret));
    assert_eq!(Signer::new(std::slice::from_ref(&weak), NOW).map(|_| ()), Err(WeakSecret));
    assert_eq!(Signer::new(&[dated("1", 0), weak], NOW).map(|_| ()), Err(WeakSecret));
}

#[test]
fn the_address() {
    let signer = signer("1", &[]);
    let signature = signer.sign(Ocean, CALL);
    for (base, expected) in [
        ("https://me.example", "https://me.example"),
        ("https://me.example/", "https://me.example"),
        ("https://me.example:8443/hooks/", "https://me.example:8443/hooks"),
        ("https://me.example/hooks?a=1#b", "https://me.example/hooks"),
    ] {
        let url = signer.webhook_url(&Url::parse(base).unwrap(), Ocean, CALL);
        assert_eq!(url, format!("{expected}/webhooks/ocean/{CALL}/{signature}"));
    }
}

#[test]
fn prints_redacted() {
    let shown = format!("{:?}", signer("1", &["2"]));
    assert_eq!(shown, "Signer(2 secrets, [redacted])");
}

proptest! {
    #[test]
    fn no_forgery_verifies(call in ".{0,40}", forged in ".{0,80}") {
        prop_assert!(!signer("1", &["2"]).verify(Ocean, &call, &forged));
    }

    #[test]
    fn different_calls_have_different_signatures(a in ".{0,40}", b in ".{0,40}") {
        let signer = signer("1", &[]);
        prop_assert_eq!(a == b, signer.sign(Ocean, &a) == signer.sign(Ocean, &b));
    }
}
