use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Thousandths in one credit.
const PARTS: i64 = 1000;

/// Credits of one provider. Providers count them in decimals (a balance of 4368.8), so they are kept as whole
/// thousandths: sums are exact. Arithmetic stops at the largest number instead of overflowing.
///
/// Credits of different providers are different currencies; nothing here distinguishes them.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Credits = Credits(0);

    /// The given number of whole credits.
    #[must_use]
    pub const fn whole(credits: i64) -> Self {
        Credits(credits.saturating_mul(PARTS))
    }

    /// Credits from thousandths, the unit of the ledger's columns.
    #[must_use]
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Credits(thousandths)
    }

    /// The amount in thousandths, the unit of the ledger's columns.
    #[must_use]
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// Rounds a decimal number from outside to the nearest thousandth; `None` for NaN and infinity.
    #[must_use]
    pub fn from_f64(credits: f64) -> Option<Self> {
        // The cast saturates at the largest and the smallest number.
        credits.is_finite().then(|| Credits((credits * PARTS as f64).round() as i64))
    }

    /// The amount as a double, for metrics and JSON.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / PARTS as f64
    }

    /// The amount without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Credits(self.0.saturating_abs())
    }

    /// Whether the amount is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether the amount is zero.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// How many times `price` fits into these credits; 0 if either is zero or negative.
    #[must_use]
    pub const fn divided_by(self, price: Credits) -> i64 {
        if price.0 <= 0 || self.0 <= 0 { 0 } else { self.0 / price.0 }
    }

    /// Written for people: `1,234.5`.
    #[must_use]
    pub fn grouped(self) -> String {
        let plain = self.to_string();
        let unsigned = plain.trim_start_matches('-');
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let mut text = String::from(if self.0 < 0 { "-" } else { "" });
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
        text
    }

    /// Written for people, with the unit: `1 credit`, `1,234.5 credits`.
    #[must_use]
    pub fn counted(self) -> String {
        let unit = if self == Credits::whole(1) { "credit" } else { "credits" };
        format!("{} {unit}", self.grouped())
    }
}

/// A number as `enqueue` prints it and the views show it: `10`, `4368.8`.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, parts) =
            (self.0.unsigned_abs() / PARTS as u64, self.0.unsigned_abs() % PARTS as u64);
        if parts == 0 {
            return f.pad(&format!("{sign}{whole}"));
        }
        f.pad(format!("{sign}{whole}.{parts:03}").trim_end_matches('0'))
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a number of credits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no number of credits; write a number with at most three decimals, as in 500 or 4368.8"
)]
pub struct NotCredits(String);

impl FromStr for Credits {
    type Err = NotCredits;

    fn from_str(text: &str) -> Result<Self, NotCredits> {
        let text = text.trim();
        parse(text).ok_or_else(|| NotCredits(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Credits> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let parts: i64 = format!("{fraction:0<3}").parse().ok()?;
    let total = whole.parse::<i64>().ok()?.checked_mul(PARTS)?.checked_add(parts)?;
    Some(Credits(if unsigned.len() < text.len() { -total } else { total }))
}

/// A JSON number: an integer for whole credits, a double otherwise.
impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % PARTS == 0 {
            serializer.serialize_i64(self.0 / PARTS)
        } else {
            serializer.serialize_f64(self.as_f64())
        }
    }
}

impl Add for Credits {
    type Output = Credits;
    fn add(self, other: Credits) -> Credits {
        Credits(self.0.saturating_add(other.0))
    }
}

impl Sub for Credits {
    type Output = Credits;
    fn sub(self, other: Credits) -> Credits {
        Credits(self.0.saturating_sub(other.0))
    }
}

impl Neg for Credits {
    type Output = Credits;
    fn neg(self) -> Credits {
        Credits(self.0.saturating_neg())
    }
}

impl Mul<i64> for Credits {
    type Output = Credits;
    fn mul(self, times: i64) -> Credits {
        Credits(self.0.saturating_mul(times))
    }
}

impl AddAssign for Credits {
    fn add_assign(&mut self, other: Credits) {
        *self = *self + other;
    }
}

impl SubAssign for Credits {
    fn sub_assign(&mut self, other: Credits) {
        *self = *self - other;
    }
}

impl Sum for Credits {
    fn sum<I: Iterator<Item = Credits>>(all: I) -> Credits {
        all.fold(Credits::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn written_as_plain_numbers() {
        for (thousandths, text) in [
            (0, "0"),
            (10_000, "10"),
            (4_368_800, "4368.8"),
            (50, "0.05"),
            (-1_500, "-1.5"),
            (-1, "-0.001"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(Credits(thousandths).to_string(), text);
        }
        assert_eq!(Credits::whole(1_234_567).grouped(), "1,234,567");
        assert_eq!(Credits(-4_368_800).grouped(), "-4,368.8");
        assert_eq!(Credits(1_000).counted(), "1 credit");
        assert_eq!(Credits(1_500).counted(), "1.5 credits");
    }

    #[test]
    fn no_number_is_refused() {
        for text in [
            "",
            " ",
            "-",
            ".",
            "1.",
            ".5",
            "1.2345",
            "1e3",
            "+1",
            "1,5",
            "NaN",
            "9223372036854775.808",
        ] {
            assert!(text.parse::<Credits>().is_err(), "{text}");
        }
        assert_eq!(" 4368.80 ".parse(), Ok(Credits(4_368_800)));
    }

    #[test]
    fn numbers_from_outside_are_rounded_to_a_thousandth() {
        assert_eq!(Credits::from_f64(4368.8), Some(Credits(4_368_800)));
        assert_eq!(Credits::from_f64(0.1 + 0.2), Some(Credits(300)));
        assert_eq!(Credits::from_f64(1e300), Some(Credits(i64::MAX)));
        assert_eq!(Credits::from_f64(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(thousandths in (i64::MIN + 1)..) {
            let credits = Credits(thousandths);
            prop_assert_eq!(credits.to_string().parse(), Ok(credits));
            prop_assert_eq!(credits.grouped().replace(',', "").parse(), Ok(credits));
        }

        #[test]
        fn json_shows_the_same_number(thousandths in -1_000_000_000_000i64..1_000_000_000_000) {
            let credits = Credits(thousandths);
            prop_assert_eq!(Credits::from_f64(credits.as_f64()), Some(credits));
        }
    }
}
