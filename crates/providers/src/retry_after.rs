use std::time::{Duration, UNIX_EPOCH};

use jobs::Clock;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The value that RFC 9111 §1.2.2 gives to a number of seconds that is too large to hold.
const VERY_LONG: f64 = 2_147_483_648.0;

/// From here on a number of seconds is a moment since 1970 (this one is in 2001) and no wait, which would be longer
/// than thirty years.
const EPOCH_SECONDS: f64 = 1e9;

/// Reads `Retry-After` as seconds or as a date (RFC 9110 §10.2.3); also as a fraction of seconds, and as a moment in
/// seconds since 1970. A moment counts from the answer's own `Date`, so that a wrong clock on this machine does not
/// matter. A moment that has passed gives zero.
#[must_use]
pub fn read(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if value.starts_with(|c: char| c.is_ascii_digit())
        && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let seconds: f64 = value.parse().ok()?;
        if (EPOCH_SECONDS..EPOCH_SECONDS * 10.0).contains(&seconds) {
            return Some(Duration::from_secs_f64(seconds).saturating_sub(answered_at(headers)));
        }
        return Some(Duration::from_secs_f64(seconds.min(VERY_LONG)));
    }
    let until = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(until.saturating_sub(answered_at(headers)))
}

/// When the answer was written, since 1970.
fn answered_at(headers: &HeaderMap) -> Duration {
    headers
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
        .and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_else(|| Clock::system().now().since(jobs::Timestamp(0)))
}
