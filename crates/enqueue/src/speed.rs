use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which speed is measured: long enough to be steady, short enough to show a change.
const WINDOW: Duration = Duration::from_secs(15);
/// A shorter time gives no speed.
const LEAST: Duration = Duration::from_secs(1);

/// Rows finished a second, over the last while.
#[derive(Debug, Default)]
pub struct Speed(VecDeque<(Instant, i64)>);

impl Speed {
    /// Notes how many rows are finished by now. Returns how many rows are finished a second, once that is known.
    pub fn note(&mut self, now: Instant, finished: i64) -> Option<f64> {
        self.0.push_back((now, finished));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at, _)| now - *at > WINDOW) {
            self.0.pop_front();
        }
        let (first, before) = self.0.front()?;
        let passed = now - *first;
        (passed >= LEAST).then(|| (finished - before).max(0) as f64 / passed.as_secs_f64())
    }
}

/// `59 rows/s`, `0.4 rows/s`.
pub fn rows_a_second(speed: f64) -> String {
    if speed < 10.0 { format!("{speed:.1} rows/s") } else { format!("{speed:.0} rows/s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_forgotten_after_the_window() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut speed = Speed::default();
        assert_eq!(speed.note(start, 0), None);
        assert_eq!(speed.note(at(2), 500), Some(250.0));
        for second in 3..40 {
            speed.note(at(second), 500 + 5 * (second as i64 - 2));
        }
        assert_eq!(speed.note(at(40), 690), Some(5.0));
    }

    #[test]
    fn rows_that_are_asked_for_again_are_no_speed_below_zero() {
        let start = Instant::now();
        let mut speed = Speed::default();
        speed.note(start, 100);
        assert_eq!(speed.note(start + Duration::from_secs(2), 40), Some(0.0));
    }

    #[test]
    fn slow_is_distinguished_from_standing_still() {
        assert_eq!(rows_a_second(0.4), "0.4 rows/s");
        assert_eq!(rows_a_second(59.2), "59 rows/s");
    }
}
