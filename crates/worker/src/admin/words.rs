//! Numbers, times and states as people read them.

use std::time::Duration;

use jobs::duration::display;
use jobs::{Provider, Timestamp};
use store::BatchOverview;

/// `1,234,567`.
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `1,286 rows`.
pub fn count(n: i64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// `61 %`. A share is shown as `0 %` or `100 %` only if it is none or all.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 1.0 => "<1 %".to_owned(),
        p if p > 99.0 && p < 100.0 => ">99 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

/// `2/s`, `0.5/s`.
pub fn rate(per_second: f64) -> String {
    let text = format!("{per_second:.2}");
    format!("{}/s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `just now`, `3m 20s ago`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let past = now.since(then);
    if past < Duration::from_secs(2) {
        "just now".to_owned()
    } else {
        format!("{} ago", display(past))
    }
}

/// A duration in whole seconds: `12s`, `1h 2m`.
pub fn lasting(duration: Duration) -> String {
    display(Duration::from_secs(duration.as_secs().max(1)))
}

/// A provider's own name.
pub fn provider(provider: Provider) -> &'static str {
    match provider {
        Provider::Ocean => "Ocean.io",
        Provider::Clodura => "Clodura",
    }
}

/// A batch's name; its id where it has none.
pub fn batch(batch: &BatchOverview) -> &str {
    let named = batch.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    named.unwrap_or(&batch.batch_id)
}

/// `not_found` as a label.
pub fn state(state: &str) -> &'static str {
    match state {
        "queued" => "Queued",
        "sending" => "Sending",
        "awaiting" => "Awaiting",
        "retrying" => "Retrying",
        "held" => "Held",
        "found" => "Found",
        "not_found" => "Not found",
        "failed" => "Failed",
        "expired" => "Expired",
        "cancelled" => "Cancelled",
        _ => "Unknown",
    }
}

/// An action of the audit log as a label.
pub fn action(action: &str) -> &str {
    match action {
        "export" => "Exported",
        "erase" => "Erased a person",
        "purge" => "Purged",
        "cancel" => "Cancelled",
        "retry" => "Retried",
        "ceiling" => "Set a ceiling",
        "pause" => "Paused",
        "resume" => "Resumed",
        "split" => "Separated identifiers",
        "suppress" => "Put on the suppression list",
        "unsuppress" => "Took off the suppression list",
        "priority" => "Set a priority",
        "replay" => "Replayed webhooks",
        other => other,
    }
}

/// A reason of the views, for reading. A provider's own words stay as they are, cut short.
pub fn reason(reason: &str) -> String {
    let known = match reason {
        "no_key" => "no worker has a key",
        "no_webhook_url" => "no webhook URL",
        "paused" => "paused by hand",
        "batch_ceiling" => "the batch's ceiling is reached",
        "credits_pending" => "credits are tied up",
        "credits_insufficient" => "too few credits",
        "rate_limited" => "too fast for the provider",
        "misconfigured" => "the provider refuses this set-up",
        "provider_broken" => "the provider is broken",
        "everything_refused" => "everything is refused",
        "no_result" => "no result came",
        "outcome_unknown" => "the outcome is unknown",
        "erased" => "erased",
        "suppressed" => "suppressed",
        "cancelled" => "cancelled",
        _ => "",
    };
    if known.is_empty() { short(reason, 160) } else { known.to_owned() }
}

/// Cuts a text to at most `most` letters.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(['…']).collect()
}

/// `20:31:05`: the time of day, UTC.
pub fn clock(at: Timestamp) -> String {
    let seconds = at.millis().div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `2026-11-21 20:31:05`, from a view's ISO 8601.
pub fn moment(iso: &str) -> String {
    iso.get(..19).unwrap_or(iso).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_prose() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(-1_000), "−1,000");
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(rate(2.0), "2/s");
        assert_eq!(rate(0.5), "0.5/s");
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_none() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.001), "<1 %");
        assert_eq!(percent(0.999), ">99 %");
        assert_eq!(percent(1.0), "100 %");
    }

    #[test]
    fn times_are_of_the_day() {
        assert_eq!(clock(Timestamp(86_400_000 + 3_661_000)), "01:01:01");
        assert_eq!(moment("2026-11-21T20:31:05.123Z"), "2026-11-21 20:31:05");
        assert_eq!(moment("?"), "?");
    }
}
