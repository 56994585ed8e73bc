//! The dashboard's cookies: never seen by scripts or sent along from other sites.

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderName, ORIGIN};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The value of a cookie that the browser sent.
pub fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|c| c.split_once('='));
    pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

/// Returns the cookie to set in the answer to a request with `headers`. A cookie of 0 seconds is deleted.
pub fn set(headers: &HeaderMap, name: &str, value: &str, seconds: u64) -> String {
    let secure = if came_by_tls(headers) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// Whether the browser speaks TLS, to a proxy before this process. The browser's own `Origin` says so, and the
/// proxy's header. Neither has to be trusted: all that a false one brings is a cookie that isn't sent in clear text.
fn came_by_tls(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = text(&FORWARDED_PROTO).and_then(|all| all.split(',').next());
    text(&ORIGIN).is_some_and(|origin| origin.starts_with("https://"))
        || forwarded.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let sent = headers(&[("cookie", "a=1; b=2;c = 3")]);
        assert_eq!(
            [read(&sent, "a"), read(&sent, "b"), read(&sent, "c")],
            [Some("1"), Some("2"), Some("3")]
        );
        assert_eq!(read(&sent, "d"), None);
    }

    #[test]
    fn a_cookie_is_for_tls_where_tls_is() {
        let is_secure = |pairs: &[_]| set(&headers(pairs), "a", "1", 9).ends_with("; Secure");
        assert!(is_secure(&[("origin", "https://queue.example.com")]));
        assert!(is_secure(&[("x-forwarded-proto", "https")]));
        assert!(is_secure(&[("x-forwarded-proto", "HTTPS, http")]));
        assert!(!is_secure(&[]));
        assert!(!is_secure(&[
            ("origin", "http://127.0.0.1:8788"),
            ("x-forwarded-proto", "http, https")
        ]));
    }
}
