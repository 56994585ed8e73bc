//! Which person a LinkedIn address means.

/// What an address turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A standard profile, by its slug in normal form.
    Profile(String),
    /// Sales Navigator or Recruiter, which Clodura refuses.
    SalesNavigator,
    /// Anything else.
    Other,
}

/// Reads an address with or without scheme, `www.` or a country's subdomain, trailing slash, query and fragment.
pub(crate) fn read(text: &str) -> Address {
    let text = text.trim();
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| {
            let head = text.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
        })
        .unwrap_or(text);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let mut segments = rest.split('/').filter(|segment| !segment.is_empty());
    let host = segments.next().unwrap_or_default().to_ascii_lowercase();
    if host != "linkedin.com" && !host.ends_with(".linkedin.com") {
        return Address::Other;
    }
    match segments.next().map(str::to_ascii_lowercase).as_deref() {
        Some("sales" | "talent" | "recruiter") => Address::SalesNavigator,
        Some("in") => match segments.next().map(normal_slug) {
            Some(slug) if !slug.trim().is_empty() => Address::Profile(slug),
            _ => Address::Other,
        },
        _ => Address::Other,
    }
}

/// Slugs are the same in any case, except member ids (`ACo…`), in which case is part of the id.
fn normal_slug(slug: &str) -> String {
    let slug = percent_decoded(slug);
    if slug.starts_with("ACo") { slug } else { slug.to_lowercase() }
}

/// `J%C3%A9r%C3%B4me` is `Jérôme`. Text that isn't a valid escape stays as it is written.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| hex_pair(tail)).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), slug in "[%a-fA-F0-9é]{0,12}") {
            read(&text);
            read(&format!("linkedin.com/in/{slug}"));
        }

        #[test]
        fn spelling_makes_no_difference(slug in "[a-z0-9-]{1,20}", scheme in "(https?://)?", host in "(www\\.|de\\.)?") {
            let address = format!("{scheme}{host}LinkedIn.com/in/{}/?a=b", slug.to_uppercase());
            prop_assert_eq!(read(&address), profile(&slug));
        }
    }

    fn profile(slug: &str) -> Address {
        Address::Profile(slug.to_owned())
    }

    #[test]
    fn one_person_many_spellings() {
        for spelling in [
            "https://www.linkedin.com/in/Foo/",
            "linkedin.com/in/foo",
            "HTTP://uk.linkedin.com/in/FOO?trk=x#about",
            "https://linkedin.com/in/foo/en",
            " www.linkedin.com/in/f%6Fo ",
        ] {
            assert_eq!(read(spelling), profile("foo"), "{spelling}");
        }
    }

    #[test]
    fn member_ids_keep_their_case() {
        assert_eq!(read("linkedin.com/in/ACoAAAbC"), profile("ACoAAAbC"));
        assert_eq!(read("linkedin.com/in/J%C3%A9r%C3%B4me"), profile("jérôme"));
        assert_eq!(read("linkedin.com/in/50%"), profile("50%"));
        assert_eq!(read("linkedin.com/in/%ff"), profile("%ff"));
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(
            read("https://www.linkedin.com/sales/lead/ACwAAA,NAME"),
            Address::SalesNavigator
        );
        assert_eq!(read("https://linkedin.com/sales/people/1"), Address::SalesNavigator);
        for other in [
            "",
            "https://example.com/in/foo",
            "notlinkedin.com/in/foo",
            "linkedin.com/company/x",
            "linkedin.com/in/",
        ] {
            assert_eq!(read(other), Address::Other, "{other}");
        }
    }
}
