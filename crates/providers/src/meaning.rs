use jobs::Credits;
use jobs::outcome::{FreeRequestFailure, Refusal, RevealOutcome};
use serde_json::Value;

use crate::http::{Answer, Failure};

/// Decides the outcome of an order for a reveal, as far as answers mean the same for every provider. `Ok` is an answer
/// that only the provider's own table explains: a 2xx, or a 4xx without a common meaning.
///
/// Where there is doubt, the order counts as accepted: asking again may be paid for twice.
pub(crate) fn of_order(exchange: Result<Answer, Failure>) -> Result<Answer, RevealOutcome> {
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
    let message = || answer.words();
    let refusal = match answer.status {
        400 | 403 | 404 | 405 if answer.is_from_a_proxy() => {
            Refusal::Unavailable { message: not_the_provider(answer.status), retry_after }
        }
        200..=299 | 400 | 402..=407 | 409..=428 | 430..=499 => return Ok(answer),
        300..=399 => Refusal::Misconfigured { message: redirected(answer.status) },
        401 => Refusal::Misconfigured { message: message() },
        429 => Refusal::RateLimited { retry_after },
        503 | 521 | 523 | 525 | 526 => Refusal::Unavailable { message: message(), retry_after },
        // 408, every other 5xx (520, 522 and 524 come from a proxy that may have passed the order on), and numbers that
        // are no HTTP status.
        _ => return Err(RevealOutcome::Unknown { why: message() }),
    };
    Err(RevealOutcome::Refused(refusal))
}

/// Decides the outcome of a free request (a balance, a result). Doubt is harmless here: the request is sent again. `Ok`
/// is a 2xx or a 4xx without a common meaning.
pub(crate) fn of_free_request(
    exchange: Result<Answer, Failure>,
) -> Result<Answer, FreeRequestFailure> {
    let answer = match exchange {
        Ok(answer) => answer,
        Err(Failure::NotSent(message) | Failure::Lost(message)) => {
            return Err(FreeRequestFailure::Unavailable { message });
        }
        // Only orders have a time by which they must leave.
        Err(Failure::TooLate) => {
            return Err(FreeRequestFailure::Unavailable { message: "not sent in time".to_owned() });
        }
    };
    let retry_after = answer.retry_after;
    let message = || answer.words();
    Err(match answer.status {
        300..=399 => FreeRequestFailure::Misconfigured { message: redirected(answer.status) },
        403 if answer.is_from_a_proxy() => {
            FreeRequestFailure::Unavailable { message: not_the_provider(answer.status) }
        }
        401 | 403 => FreeRequestFailure::Misconfigured { message: message() },
        429 => FreeRequestFailure::RateLimited { retry_after },
        200..=299 | 400..=407 | 409..=499 => return Ok(answer),
        _ => FreeRequestFailure::Unavailable { message: message() },
    })
}

/// The message for a redirect. Leaves out the target, which may carry what was in the request.
fn redirected(status: u16) -> String {
    format!("HTTP {status}: a redirect, which is never followed; check the base URL")
}

/// The message for a proxy's page: a challenge, or its own words about a path. The provider has not answered.
fn not_the_provider(status: u16) -> String {
    format!("HTTP {status}: a page of a proxy, not an answer of the API")
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
    // The cast saturates, and turns NaN into 0.
    number.is_finite().then(|| number.floor() as i64)
}
