//! Texts that hold digits and are no phone numbers: addresses, dates, scores, ids.

/// Whether a text is an address, a date, a score or an id.
pub(super) fn is_something_else(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains('@')
        || lower.contains("://") && !lower.starts_with("tel:")
        || lower.starts_with("www.")
        || is_date(text)
        || is_ip_address(text)
        || is_score(text)
        || is_mixed(text)
}

/// Whether a text is a date: `2026-01-31`, `31.01.2026` or `1/31/2026`, with or without a time after it.
fn is_date(text: &str) -> bool {
    let day = text.split([' ', 'T']).next().unwrap_or(text);
    let Some(separator) = day.chars().find(|c| "-./".contains(*c)) else { return false };
    let parts: Vec<&str> = day.split(separator).collect();
    let number = |part: &str, most: u32| {
        part.len() <= 2 && part.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number))
    };
    let year = |part: &str| {
        part.len() == 4 && part.parse::<u32>().is_ok_and(|year| (1900..2100).contains(&year))
    };
    match parts[..] {
        [first, second, third] => {
            year(first) && number(second, 12) && number(third, 31)
                || year(third) && number(first, 31) && number(second, 31)
        }
        _ => false,
    }
}

/// Whether a text is an IP address: `192.168.100.20`. Four pairs of digits, as in `20.11.22.33`, are more likely a
/// phone number.
fn is_ip_address(text: &str) -> bool {
    let pairs = text.split('.').all(|part| part.len() == 2);
    !pairs && text.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a text is a score or a count: `0.98765`, `97.123456`, `1,234,567`.
fn is_score(text: &str) -> bool {
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((whole, fraction)) = text.split_once('.') {
        let small = whole == "0" || whole == "100" || whole.len() <= 2 && !whole.starts_with('0');
        return small && all_digits(whole) && all_digits(fraction);
    }
    let mut groups = text.split(',');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    (1..=3).contains(&first.len())
        && all_digits(first)
        && !rest.is_empty()
        && rest.iter().all(|group| group.len() == 3 && all_digits(group))
}

/// Whether letters are between digits, as in `69c2f3a1b4`: a word would be separate.
fn is_mixed(text: &str) -> bool {
    let kinds: Vec<char> = text.chars().collect();
    let mut before = None;
    for (place, c) in kinds.iter().enumerate() {
        if c.is_alphabetic() {
            if place == 0 || !kinds[place - 1].is_alphabetic() {
                before = place.checked_sub(1).and_then(|place| kinds.get(place));
            }
            let ends = kinds.get(place + 1).is_some_and(char::is_ascii_digit);
            if ends && before.is_some_and(char::is_ascii_digit) {
                return true;
            }
        }
    }
    false
}
