//! Waiting for a lock that another process holds.

use std::ops::Range;
use std::thread;
use std::time::Duration;

/// How soon a lock that another process holds is asked for again, in microseconds: it is free for a
/// short while only.
pub(crate) const LOOK_AGAIN: Range<u64> = 100..400;

#[expect(clippy::disallowed_methods, reason = "on threads that have nothing else to do")]
pub(crate) fn wait_a_moment(microseconds: Range<u64>) {
    thread::sleep(Duration::from_micros(rand::random_range(microseconds)));
}
