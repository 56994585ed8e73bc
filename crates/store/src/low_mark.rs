//! Where a process starts to look for waiting work. While an old transaction is open, Postgres keeps the index entries of
//! finished work. A look from the start of the index would read past all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use db::Attached;
use jobs::{Provider, Timestamp};

/// How long a transaction may take to add work below a key that others have passed. Work of a slower one waits for the next
/// whole look.
const SLOWEST_COMMIT: Duration = Duration::from_secs(3);

/// How often a process looks from the start.
const WHOLE_LOOK: Duration = Duration::from_secs(30);

/// How far the clocks of the machines may be apart: work that another machine adds may have a time so far before this one's.
pub(crate) const CLOCKS_APART: Duration = Duration::from_secs(60);

/// A kind of waiting work, and the key by which it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Queue {
    /// Webhooks to be applied, by their ids.
    Inbox,
    /// Calls to be polled, by the time when they are due.
    Polls(Provider),
    /// Requests on their way, by the time when they were sent.
    Sending,
}

/// The keys from which one process looks for work; one value for each open ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct LowMarks(Arc<Mutex<BTreeMap<Queue, LowMark>>>);

impl LowMarks {
    /// Returns the marks of an open database.
    pub(crate) fn of(attached: &Attached) -> Self {
        attached.get(LowMarks::default)
    }

    /// Returns the lowest key that has to be looked at.
    pub(crate) fn start(&self, queue: Queue, now: Timestamp) -> i64 {
        self.with(queue, |mark| mark.start(now))
    }

    /// Notes that a look found nothing below `first`.
    pub(crate) fn nothing_below(&self, queue: Queue, first: i64, now: Timestamp) {
        self.with(queue, |mark| mark.nothing_below(first, now));
    }

    fn with<T>(&self, queue: Queue, work: impl FnOnce(&mut LowMark) -> T) -> T {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(marks.entry(queue).or_default())
    }
}

/// The key below which nothing waits.
#[derive(Debug, Clone, Copy, Default)]
struct LowMark {
    low: i64,
    /// The next value of `low`, once every transaction that was open at `next_at` has ended.
    next: i64,
    next_at: Timestamp,
    whole_at: Timestamp,
}

impl LowMark {
    fn start(&mut self, now: Timestamp) -> i64 {
        if is_within(WHOLE_LOOK, self.whole_at, now) {
            return self.low;
        }
        self.whole_at = now;
        0
    }

    fn nothing_below(&mut self, first: i64, now: Timestamp) {
        if first < self.low {
            self.low = first;
        }
        if first < self.next || !is_within(SLOWEST_COMMIT, self.next_at, now) {
            self.low = self.next.min(first);
            (self.next, self.next_at) = (first, now);
        }
    }
}

/// Whether `now` is less than `time` after `earlier`. False if the clock was set back.
fn is_within(time: Duration, earlier: Timestamp, now: Timestamp) -> bool {
    earlier <= now && now.since(earlier) < time
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole look and the looks after it: the time, what was found to be first, and where the next look starts.
    #[test]
    fn looks_start_where_all_earlier_transactions_have_ended() {
        let steps = [
            (100_000, 7, 0),
            (102_000, 9, 0),
            (103_000, 12, 7),
            (105_000, 20, 7),
            (106_000, 30, 12),
            (107_000, 10, 10),
            (111_000, 40, 10),
            (114_000, 41, 40),
            (130_000, 50, 0),
            (131_000, 51, 41),
        ];
        let mut mark = LowMark::default();
        assert_eq!(mark.start(Timestamp(100_000)), 0);
        for (at, first, start) in steps {
            mark.nothing_below(first, Timestamp(at));
            assert_eq!(mark.start(Timestamp(at)), start, "at {at}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_starts_a_whole_look() {
        let mut mark = LowMark::default();
        mark.start(Timestamp(100_000));
        mark.nothing_below(5, Timestamp(100_000));
        mark.nothing_below(6, Timestamp(104_000));
        assert_eq!(mark.start(Timestamp(104_000)), 5);
        assert_eq!(mark.start(Timestamp(50_000)), 0);
    }
}
