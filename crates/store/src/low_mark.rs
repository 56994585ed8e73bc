//! Where a process starts to look for waiting work. While an old transaction is open, Postgres keeps the index entries of
//! finished work. A look from the start of the index would read past all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use db::Attached;
use jobs::{Provider, Timestamp};

/// How long a transaction may take to add work below a key that others have passed. Work of a slower one waits for the next
/// whole look.
const SLOWEST_COMMIT: Duration = Duration::from_secs(1);

/// How often a process looks from the start.
const WHOLE_LOOK: Duration = Duration::from_secs(60);

/// How far the clocks of the machines may be apart: work that another machine adds may have a time so far before this one's.
/// Work of a machine whose clock is further behind waits for the next whole look.
pub(crate) const CLOCKS_APART: Duration = Duration::from_secs(5);

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

    /// Notes a look that began at `start` and found nothing below `first`, or nothing at all. Until a whole look is noted, all
    /// looks are whole.
    pub(crate) fn looked(&self, queue: Queue, start: i64, first: Option<i64>, now: Timestamp) {
        self.with(queue, |mark| mark.looked(start, first, now));
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
    fn start(&self, now: Timestamp) -> i64 {
        if is_within(WHOLE_LOOK, self.whole_at, now) { self.low } else { 0 }
    }

    fn looked(&mut self, start: i64, first: Option<i64>, now: Timestamp) {
        if start == 0 {
            self.whole_at = now;
        }
        let Some(first) = first else { return };
        self.low = self.low.min(first);
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

    /// Looks, each from where the last one said: the time, what was found to be first, and where the next look starts.
    #[test]
    fn looks_start_where_all_earlier_transactions_have_ended() {
        let steps = [
            (100_000, Some(7), 0),
            (100_700, Some(9), 0),
            (101_000, Some(12), 7),
            (101_700, Some(20), 7),
            (102_000, Some(30), 12),
            (102_300, Some(10), 10),
            (103_600, Some(40), 10),
            (104_600, Some(41), 40),
            (105_000, None, 40),
            (159_000, Some(42), 41),
        ];
        let mut mark = LowMark::default();
        for (at, first, start) in steps {
            mark.looked(mark.start(Timestamp(at)), first, Timestamp(at));
            assert_eq!(mark.start(Timestamp(at)), start, "at {at}");
        }
    }

    #[test]
    fn a_whole_look_is_due_until_it_is_noted() {
        let mut mark = LowMark::default();
        for at in [100_000, 104_000] {
            mark.looked(mark.start(Timestamp(at)), Some(at), Timestamp(at));
        }
        let late = Timestamp(164_000);
        assert_eq!(mark.start(Timestamp(105_000)), 100_000);
        assert_eq!(mark.start(late), 0);
        assert_eq!(mark.start(late), 0, "asking notes nothing");
        mark.looked(100_000, None, late);
        assert_eq!(mark.start(late), 0, "that look was not whole");
        mark.looked(0, Some(3), late);
        assert_eq!(mark.start(late), 3, "what came late is seen by the looks that follow");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_a_whole_look_due() {
        let mut mark = LowMark::default();
        for at in [100_000, 104_000] {
            mark.looked(mark.start(Timestamp(at)), Some(at), Timestamp(at));
        }
        assert_eq!(mark.start(Timestamp(104_000)), 100_000);
        assert_eq!(mark.start(Timestamp(50_000)), 0);
    }
}
