use std::time::Duration;

use providers::retry_after::read;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// No calendar goes beyond the year 9999.
const LONGEST: Duration = Duration::from_secs(8_030 * 366 * 24 * 3600);

/// The date of the answer, where the input doesn't name one.
const DATED: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// The input is the header's value and, after a line break, the value of `Date`. The time that is read can be added to
/// a clock, and white space around the value makes no difference.
pub(crate) fn holds(data: &[u8]) {
    let place = data.iter().position(|byte| *byte == b'\n');
    let (value, date) = place.map_or((data, DATED), |place| (&data[..place], &data[place + 1..]));
    assert!(wait(value, date).is_none_or(|wait| wait <= LONGEST), "longer than any calendar");
    let Some(wait) = self::wait(value, DATED) else { return };
    assert!(wait <= LONGEST, "{wait:?}");
    let padded = [b" ", value, b" "].concat();
    assert_eq!(self::wait(&padded, DATED), Some(wait), "white space decides");
    if let Ok(seconds) = std::str::from_utf8(value).unwrap_or_default().parse::<u32>()
        && seconds < 1_000_000_000
    {
        assert_eq!(wait, Duration::from_secs(seconds.into()), "another time than was said");
    }
}

fn wait(value: &[u8], date: &[u8]) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).ok()?);
    headers.insert(DATE, HeaderValue::from_bytes(date).ok()?);
    read(&headers)
}
