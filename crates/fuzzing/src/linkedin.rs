use jobs::person::LONGEST_IDENTIFIER;
use jobs::{Identifier, IdentifierKind};

/// Normalising twice is the same as normalising once, from every form that is written: two forms of one person would be
/// two people, and paid for twice.
pub(crate) fn holds(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in IdentifierKind::ALL {
        let Ok(identifier) = Identifier::parse(kind, text) else { continue };
        assert!(identifier.value().chars().count() <= LONGEST_IDENTIFIER, "longer than any");
        assert_eq!(
            Identifier::decode(&identifier.encode()).as_ref(),
            Some(&identifier),
            "not read back"
        );
        assert!(!identifier.value().contains(char::is_control), "steers a terminal");
        match identifier.linkedin_url() {
            None => assert_again(&identifier, identifier.value()),
            Some(address) => {
                assert!(address.is_ascii(), "an address that no request can carry");
                assert_again(&identifier, &address);
                assert_again(&identifier, &identifier.encode());
            }
        }
    }
}

fn assert_again(identifier: &Identifier, text: &str) {
    let again = Identifier::parse(identifier.kind(), text);
    assert_eq!(again.as_ref(), Ok(identifier), "{text:?}");
}
