use std::time::{Duration, UNIX_EPOCH};

use jobs::Clock;
use jobs::outcome::{LookupFailure, Refusal, RevealOutcome};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use serde_json::Value;

use crate::http::{Account, Answer, Failure};

/// What RFC 9111 §1.2.2 has a number of seconds become that is too large to hold.
const VERY_LONG: u64 = 1 << 31;

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
        Err(Failure::Lost(why)) => return Err(RevealOutcome::Unknown { why }),
    };
    let retry_after = answer.retry_after;
    let message = || account.words(&answer);
    let refusal = match answer.status {
        200..=299 | 400 | 402..=407 | 409..=428 | 430..=499 => return Ok(answer),
        300..=399 => Refusal::Misconfigured { message: redirected(answer.status) },
        401 => Refusal::Misconfigured { message: message() },
        429 => Refusal::RateLimited { retry_after },
        503 => Refusal::Unavailable { message: message(), retry_after },
        // 408, every other 5xx, and what is no status of HTTP at all.
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
    };
    let retry_after = answer.retry_after;
    let message = || account.words(&answer);
    Err(match answer.status {
        300..=399 => LookupFailure::Misconfigured { message: redirected(answer.status) },
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

/// `Retry-After` as seconds or as a date (RFC 9110 §10.2.3). A date counts from the answer's own
/// `Date`, so that a clock that is wrong here does not matter; one that has passed is zero.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(VERY_LONG);
        return Some(Duration::from_secs(seconds.min(VERY_LONG)));
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

/// A whole number, written as one, as a fraction (rounded down: what is left is not a whole
/// credit) or as text.
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
