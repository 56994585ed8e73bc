use std::time::{Duration, UNIX_EPOCH};

use jobs::outcome::{LookupFailure, Refusal, RevealOutcome};
use jobs::{Clock, Credits};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use serde_json::Value;

use crate::http::{Account, Answer, Failure};

/// What RFC 9111 §1.2.2 has a number of seconds become that is too large to hold.
const VERY_LONG: f64 = 2_147_483_648.0;

/// From here on a number of seconds is a moment since 1970 (this one is in 2001) and no wait: it would be one of
/// more than thirty years.
const EPOCH_SECONDS: f64 = 1e9;

/// What an order for a reveal came to, as far as it is the same for every provider. `Ok` is an
/// answer that only the provider's own table explains: a 2xx, or a 4xx without a common meaning.
///
/// Where there is doubt, the order counts as taken: asking again may be paid for twice.
pub(crate) fn of_order(
    account: &Account,
    exchange: Result<Answer, Failure>,
) -> Result<Answer, RevealOutcome> {
    let answer = match exchange {
        Ok(answer) => answer,
        Err(Failure::NotSent(message)) => {
            let refusal = Refusal::Unavailable { message, retry_after: None };
            return Err(RevealOutcome::Refused(refusal));
        }
        Err(Failure::TooLate) => return Err(RevealOutcome::NotSent),
        Err(Failure::Lost(why)) => return Err(RevealOutcome::Unknown { why }),
    };
    let retry_after = answer.retry_after;
    let message = || account.words(&answer);
    let refusal = match answer.status {
        400 | 403 | 404 | 405 if answer.is_from_a_proxy() => {
            Refusal::Unavailable { message: not_the_provider(answer.status), retry_after }
        }
        200..=299 | 400 | 402..=407 | 409..=428 | 430..=499 => return Ok(answer),
        300..=399 => Refusal::Misconfigured { message: redirected(answer.status) },
        401 => Refusal::Misconfigured { message: message() },
        429 => Refusal::RateLimited { retry_after },
        503 | 521 | 523 | 525 | 526 => Refusal::Unavailable { message: message(), retry_after },
        // 408, every other 5xx (520, 522 and 524 come from a proxy that may have passed it on), and what is no status of HTTP at all.
        _ => return Err(RevealOutcome::Unknown { why: message() }),
    };
    Err(RevealOutcome::Refused(refusal))
}

/// The same for a question that costs nothing (a balance, a result): here doubt is harmless, it
/// is simply asked again. `Ok` is a 2xx or a 4xx without a common meaning.
pub(crate) fn of_lookup(
    account: &Account,
    exchange: Result<Answer, Failure>,
) -> Result<Answer, LookupFailure> {
    let answer = match exchange {
        Ok(answer) => answer,
        Err(Failure::NotSent(message) | Failure::Lost(message)) => {
            return Err(LookupFailure::Unavailable { message });
        }
        // Only orders have a time by which they must leave.
        Err(Failure::TooLate) => {
            return Err(LookupFailure::Unavailable { message: "not sent in time".to_owned() });
        }
    };
    let retry_after = answer.retry_after;
    let message = || account.words(&answer);
    Err(match answer.status {
        300..=399 => LookupFailure::Misconfigured { message: redirected(answer.status) },
        403 if answer.is_from_a_proxy() => {
            LookupFailure::Unavailable { message: not_the_provider(answer.status) }
        }
        401 | 403 => LookupFailure::Misconfigured { message: message() },
        429 => LookupFailure::RateLimited { retry_after },
        200..=299 | 400..=407 | 409..=499 => return Ok(answer),
        _ => LookupFailure::Unavailable { message: message() },
    })
}

/// The address it leads to is left out: it may carry what was in the request.
fn redirected(status: u16) -> String {
    format!("HTTP {status}: a redirect, which is never followed; check the base URL")
}

/// A proxy's page: a challenge, or its own words about a path. The provider has not spoken.
fn not_the_provider(status: u16) -> String {
    format!("HTTP {status}: a page of a proxy, not an answer of the API")
}

/// `Retry-After` as seconds or as a date (RFC 9110 §10.2.3); also as a fraction of seconds, and as a moment in
/// seconds since 1970. A moment counts from the answer's own `Date`, so that a clock that is wrong here does not
/// matter; one that has passed is zero.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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

/// Credits, written as a number or as text; to the nearest thousandth.
pub(crate) fn credits(value: Option<&Value>) -> Option<Credits> {
    let number = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Credits::from_f64(number)
}

/// A whole number, written as one, as a fraction (rounded down) or as text.
pub(crate) fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    // The conversion saturates, and turns what is no number into 0.
    number.is_finite().then(|| number.floor() as i64)
}

/// Whether a body says that an order was taken: an object with one of `fields`, wrapped in `data` at most, that
/// speaks of no error. An empty object says nothing else.
pub(crate) fn is_acceptance(body: &Value, fields: &[&str]) -> bool {
    let object = match body.get("data") {
        Some(inner @ Value::Object(_)) => inner,
        _ => body,
    };
    let says_nothing = body.as_object().is_some_and(serde_json::Map::is_empty);
    (says_nothing || fields.iter().any(|field| object.get(*field).is_some()))
        && !speaks_of_an_error(body)
        && !speaks_of_an_error(object)
}

fn speaks_of_an_error(body: &Value) -> bool {
    let is_error_status = |value: &Value| match value {
        Value::Number(number) => number.as_u64().is_some_and(|status| status >= 400),
        Value::String(word) => {
            let word = word.to_lowercase();
            ["error", "fail", "denied", "invalid", "forbidden", "unauthorized"]
                .iter()
                .any(|bad| word.contains(bad))
        }
        _ => false,
    };
    let says_something = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    ["error", "errors"].iter().any(|name| body.get(*name).is_some_and(says_something))
        || ["success", "ok"].iter().any(|name| body.get(*name) == Some(&Value::Bool(false)))
        || ["status", "statusCode", "code"]
            .iter()
            .any(|name| body.get(*name).is_some_and(is_error_status))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_acceptance_says_so() {
        let fields = &["trackingId", "status"];
        for body in [
            json!({"status": "in progress"}),
            json!({"trackingId": null}),
            json!({"trackingId": "t1", "status": "Callback will be triggered", "error": null}),
            json!({"data": {"trackingId": "t1"}}),
            json!({}),
        ] {
            assert!(is_acceptance(&body, fields), "{body}");
        }
        for body in [
            json!([]),
            json!("OK"),
            json!({"detail": "Internal error"}),
            json!({"status": "error"}),
            json!({"status": 500}),
            json!({"status": "failed", "trackingId": null}),
            json!({"status": "ok", "errors": ["no"]}),
            json!({"success": false, "data": {"trackingId": "t1"}}),
        ] {
            assert!(!is_acceptance(&body, fields), "{body}");
        }
    }
}
