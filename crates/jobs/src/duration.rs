use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration or rate that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a number and a unit.
    #[error("{0:?} is no duration; write 500ms, 30s, 10m, 24h or 7d")]
    Duration(String),
    /// Not a number and a period.
    #[error("{0:?} is no rate; write 2/s, 100/m or 1000/h")]
    Rate(String),
}

/// Reads `500ms`, `30s`, `10m`, `24h`, `7d`.
///
/// # Errors
/// Any other text, and a duration too long to add to a date in 64 bits of milliseconds.
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let error = || ParseError::Duration(text.to_owned());
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| error())?;
    let unit_ms: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(error()),
    };
    // An eighth of the range of `i64` leaves room to add the duration to any date.
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms < u64::MAX / 16).ok_or_else(error)?;
    Ok(Duration::from_millis(ms))
}

/// Writes a duration the way people read it: `850ms`, `42s`, `3m 20s`, `2h 5m`, `3d 4h`.
#[must_use]
pub fn display(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{s}s"),
        60..3600 => two(s / 60, "m", s % 60, "s"),
        3600..86400 => two(s / 3600, "h", s % 3600 / 60, "m"),
        _ => two(s / 86400, "d", s % 86400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large}{large_unit}")
    } else {
        format!("{large}{large_unit} {small}{small_unit}")
    }
}

/// A number of requests per unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// A rate of `n` requests per second.
    #[must_use]
    pub fn per_second(n: f64) -> Self {
        Rate { per_second: n }
    }

    /// Requests per second.
    #[must_use]
    pub fn get(self) -> f64 {
        self.per_second
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_second)
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::Rate(text.to_owned());
        let (number, period) = text.trim().split_once('/').ok_or_else(error)?;
        let number: f64 = number.trim().parse().map_err(|_| error())?;
        let seconds = match period.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(error()),
        };
        let per_second = number / seconds;
        // Above a million requests per second, the rate limiter's microseconds could not distinguish two requests.
        if per_second.is_finite() && per_second > 0.0 && per_second <= 1e6 {
            Ok(Rate { per_second })
        } else {
            Err(error())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        let ms = |text| parse(text).map(|d| d.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("30s"), Ok(30_000));
        assert_eq!(ms("10m"), Ok(600_000));
        assert_eq!(ms("24h"), Ok(86_400_000));
        assert_eq!(ms("7d"), Ok(604_800_000));
        assert_eq!(ms("0s"), Ok(0));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5h",
            "10 minutes",
            "99999999999999999999d",
            "9999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_rates() {
        assert_eq!("2/s".parse(), Ok(Rate::per_second(2.0)));
        assert_eq!("90/m".parse(), Ok(Rate::per_second(1.5)));
        for text in ["", "2", "0/s", "-1/s", "2/w", "inf/s", "nan/s", "9999999/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn shows_two_units_at_most() {
        let show = |s| display(Duration::from_secs(s));
        assert_eq!(display(Duration::from_millis(850)), "850ms");
        assert_eq!(show(42), "42s");
        assert_eq!(show(200), "3m 20s");
        assert_eq!(show(7500), "2h 5m");
        assert_eq!(show(86400 * 3), "3d");
    }
}
