use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use rand::{Rng, RngExt};

/// The longest time that a provider's `Retry-After` is believed: a day's limit must be sat out, a
/// broken header must not park work for a year.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(25 * 60 * 60);

/// The exponential series `base, 2·base, 4·base, …`, never more than `max`.
///
/// `step` counts from 0. With a base of 5 s and a maximum of 15 m: 5 s, 10 s, 20 s, 40 s, 80 s,
/// 160 s, 320 s, 640 s, 900 s, 900 s, …
#[must_use]
pub fn exponential(base: Duration, max: Duration, step: u32) -> Duration {
    ExponentialBuilder::default()
        .with_min_delay(base.min(max))
        .with_max_delay(max)
        .with_factor(2.0)
        .with_max_times(step as usize + 1)
        .build()
        .nth(step as usize)
        .unwrap_or(max)
        .min(max)
}

/// Full jitter over [`exponential`]: anything from zero up to the whole delay, so that calls that failed together do
/// not come back together.
#[must_use]
pub fn full_jitter(base: Duration, max: Duration, step: u32, rng: &mut impl Rng) -> Duration {
    let ceiling = exponential(base, max, step);
    ceiling.mul_f64(rng.random_range(0.0..=1.0))
}

/// The shortest wait after a `Retry-After`; shorter ones are raised to it.
pub const SHORTEST_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A vendor's `Retry-After`, honoured but bounded by [`SHORTEST_RETRY_AFTER`] and [`LONGEST_RETRY_AFTER`].
#[must_use]
pub fn bounded_retry_after(retry_after: Duration) -> Duration {
    retry_after.clamp(SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn doubles_up_to_the_maximum() {
        let series: Vec<u64> = (0..10).map(|n| exponential(5 * S, 900 * S, n).as_secs()).collect();
        assert_eq!(series, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
    }

    proptest! {
        #[test]
        fn never_above_the_maximum(base in 0u64..100_000, max in 0u64..1_000_000, step in 0u32..200) {
            let (base, max) = (Duration::from_millis(base), Duration::from_millis(max));
            prop_assert!(exponential(base, max, step) <= max);
            prop_assert!(full_jitter(base, max, step, &mut rand::rng()) <= max);
        }

        #[test]
        fn never_shrinks(base in 1u64..10_000, step in 0u32..40) {
            let (base, max) = (Duration::from_millis(base), Duration::from_secs(3600));
            prop_assert!(exponential(base, max, step) <= exponential(base, max, step + 1));
        }
    }
}
