//! Only who knows a secret can make a webhook's address.
#![allow(clippy::unwrap_used)]

use jobs::Provider::{Clodura, Ocean};
use proptest::prelude::*;
use providers::Signer;
use providers::signature::WeakSecret;
use secrecy::SecretString;
use url::Url;

const CALL: &str = "01JC3V6Z5W8Q9R2T4Y6U8I0P1A";

fn secret(text: &str) -> SecretString {
    SecretString::from(format!("a secret of a test: {text}"))
}

fn signer(newest: &str, older: &[&str]) -> Signer {
    let older: Vec<_> = older.iter().map(|text| secret(text)).collect();
    Signer::new(&secret(newest), &older).unwrap()
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
    let after = signer("2", &["0", "1"]);
    assert!(after.verify(Ocean, CALL, &before.sign(Ocean, CALL)));
    assert_eq!(after.sign(Ocean, CALL), signer("2", &[]).sign(Ocean, CALL));
    assert!(!before.verify(Ocean, CALL, &after.sign(Ocean, CALL)));
}

#[test]
fn a_released_signature_stays_as_it_is() {
    // Addresses signed by one version must be taken by the next: results may be days out.
    let signature = "562c2eb99baf2284af45b9e4adc4ec28004e1029cb134c2ea59c76c01f1b47a2";
    assert_eq!(signer("1", &[]).sign(Ocean, CALL), signature);
}

#[test]
fn weak_secrets_are_refused() {
    let weak = SecretString::from("fifteen bytes..");
    assert_eq!(Signer::new(&weak, &[]).map(|_| ()), Err(WeakSecret));
    assert_eq!(Signer::new(&secret("1"), &[weak]).map(|_| ()), Err(WeakSecret));
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
