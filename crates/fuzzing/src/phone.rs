use jobs::outcome::Phone;
use jobs::phone_type::classify;
use providers::phone::{phone, to_e164};

use crate::webhook::assert_phone;

/// A number is normalised at once and for good; no digit is made up.
pub(crate) fn holds(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    let Phone { raw: kept, e164, extension, .. } = {
        let phone = phone(raw, None);
        if !raw.contains('\0') {
            assert_phone(&phone);
        }
        phone
    };
    assert_eq!(kept, raw.trim(), "the provider's own writing is kept");
    assert_eq!(to_e164(raw), e164, "two ways of reading it");
    let classified = classify(e164.as_deref(), None);
    assert!(classified.country.is_none_or(|country| country.len() == 2));
    let Some(e164) = e164 else { return };
    // Argentina's mobiles have a 15 at home, and a 9 from abroad.
    let is_argentine = e164.starts_with("+54");
    if !is_argentine && raw.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic()) {
        assert!(stand_in_order(&e164[1..], raw), "{e164} has digits that {raw:?} hasn't");
    }
    if let Some(extension) = extension {
        let again = phone(&format!("{e164} ext. {extension}"), None);
        assert_eq!((again.e164, again.extension), (Some(e164), Some(extension)));
    }
}

/// Whether all digits of `number` stand in `text`, in this order.
fn stand_in_order(number: &str, text: &str) -> bool {
    let mut written = text.bytes();
    number.bytes().all(|digit| written.any(|byte| byte == digit))
}
