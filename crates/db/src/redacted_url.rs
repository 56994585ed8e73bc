//! A database's address as it may be shown: never with a password, whatever form it was given in.

/// What is left out.
const LEFT_OUT: &str = "…";

/// The address without its password. People write passwords into all places of it: behind the user, into the query,
/// into `host=… password=…`, with letters in them that end the part. So only what is known to be harmless is kept.
pub(crate) fn redacted_url(text: &str) -> String {
    let Some(scheme) = scheme_of(text) else { return without_scheme(text) };
    match text[scheme.len() + 1..].strip_prefix("//") {
        _ if scheme == "sqlite" => without_query(text),
        Some(rest) => format!("{scheme}://{}", without_login(rest)),
        None => format!("{scheme}:{LEFT_OUT}"),
    }
}

fn without_scheme(text: &str) -> String {
    match text.split_once('=') {
        Some((key, _)) if is_word(key.trim()) => format!("{}={LEFT_OUT}", key.trim()),
        _ if text.contains('@') => without_login(text),
        _ if text.contains(':') => LEFT_OUT.to_owned(),
        _ => without_query(text),
    }
}

/// User, host and path. A password may hold `/` and `@`, so all up to the last `@` counts as user and password; with
/// a `?` before that, the parts can't be distinguished.
fn without_login(rest: &str) -> String {
    let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
    if query.contains('@') {
        return LEFT_OUT.to_owned();
    }
    let shown = match before_query.rsplit_once('@') {
        None => before_query.to_owned(),
        Some((login, place)) => {
            let user = login.split(':').next().filter(|user| is_word(user)).unwrap_or_default();
            format!("{user}:{LEFT_OUT}@{place}")
        }
    };
    if query.is_empty() { shown } else { format!("{shown}?{LEFT_OUT}") }
}

fn without_query(text: &str) -> String {
    match text.split_once('?') {
        Some((before, _)) => format!("{before}?{LEFT_OUT}"),
        None => text.to_owned(),
    }
}

fn scheme_of(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    // A user's name before a password looks the same; only what is a scheme for sure is one.
    let known = ["sqlite", "postgres", "postgresql", "mysql", "mariadb", "mssql", "http", "https"];
    let is_scheme = known.iter().any(|known| known.eq_ignore_ascii_case(scheme))
        || text[scheme.len()..].starts_with("://") && is_word(scheme);
    is_scheme.then_some(scheme)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_in_no_form() {
        for (given, shown) in [
            ("mysql://me:geheim@host/db", "mysql://me:…@host/db"),
            ("postgres://me:geheim@host/db?sslmode=require", "postgres://me:…@host/db?…"),
            ("postgres://me:geh/eim@host/db", "postgres://me:…@host/db"),
            ("postgres://me:geh?eim@host/db", "postgres://…"),
            ("postgres://me:geh@eim@host/db", "postgres://me:…@host/db"),
            ("postgres://host/db?user=me&password=geheim", "postgres://host/db?…"),
            ("postgres://host/db?password=geh@eim", "postgres://…"),
            ("postgres:me:geheim@host/db", "postgres:…"),
            ("postgres:/me:geheim@host/db", "postgres:…"),
            ("host=db user=me password=geheim", "host=…"),
            ("password=geheim host=db", "password=…"),
            ("host = db password = 'ge heim'", "host=…"),
            ("me:geheim@host/db", "me:…@host/db"),
            ("me:geheim", "…"),
            ("postgres//me:geheim@host/db", ":…@host/db"),
            ("sqlite:people.db", "sqlite:people.db"),
            ("people.db", "people.db"),
            ("./data/people.db", "./data/people.db"),
            ("", ""),
        ] {
            assert_eq!(redacted_url(given), shown, "{given}");
            assert!(!redacted_url(given).contains("geh") && !redacted_url(given).contains("eim"));
        }
    }
}
