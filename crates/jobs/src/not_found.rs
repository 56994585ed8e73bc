/// The probability below which a run of 404s counts as a fault of the provider.
const CHANCE: f64 = 1e-4;
/// A run up to this length is never doubted, however rare 404s were: requests that were out together are answered in
/// any order.
const SHORTEST: i64 = 50;
/// The share of 404s that is assumed before any is known: four of five people without a number.
const ASSUMED: (i64, i64) = (4, 5);

/// A provider's immediate answers so far. Its 404 is documented as "no number for this person", but a moved endpoint or
/// a gateway answers every request with 404. So a 404 counts as an answer about the person only while the run of 404s
/// without an accepted order is no longer than chance explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotFoundRun {
    /// Orders that were accepted.
    pub taken: i64,
    /// 404s that are known to be about the people: an order was accepted after them, or the user said so.
    pub known: i64,
    /// 404s after the known ones.
    pub run: i64,
}

impl NotFoundRun {
    /// Returns the longest run that chance explains, given the share of 404s so far.
    #[must_use]
    pub fn longest(&self) -> i64 {
        let not_found = (self.known + ASSUMED.0) as f64;
        let share = not_found / (self.known + self.taken + ASSUMED.1) as f64;
        ((CHANCE.ln() / share.ln()) as i64).max(SHORTEST)
    }

    /// Whether 404s for `people` more people point to a fault of the provider. These people and those of the run then
    /// stay open.
    #[must_use]
    pub fn is_doubted(&self, people: usize) -> bool {
        self.run.saturating_add_unsigned(people as u64) > self.longest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(taken: i64, known: i64, run: i64) -> NotFoundRun {
        NotFoundRun { taken, known, run }
    }

    #[test]
    fn a_run_may_be_as_long_as_chance_has_it() {
        for (taken, known, longest) in [
            (0, 0, 50),
            (10, 10, 50),
            (100, 900, 86),
            (1_000, 0, 50),
            (1_000, 99_000, 915),
            (0, 50, 501),
        ] {
            assert_eq!(run(taken, known, 0).longest(), longest, "{taken} taken, {known} not found");
        }
    }

    #[test]
    fn no_person_is_without_a_number_by_repetition() {
        assert!(!run(1_000, 100, 0).is_doubted(50));
        assert!(!run(1_000, 100, 47).is_doubted(3));
        assert!(run(1_000, 100, 48).is_doubted(3));
        for beyond in [50, 51, 6_000] {
            assert!(run(1_000, 100, beyond).is_doubted(1));
        }
    }

    #[test]
    fn more_404s_that_are_known_to_be_right_allow_longer_runs() {
        let mut before = 0;
        for known in (0..100_000).step_by(1_000) {
            let longest = run(500, known, 0).longest();
            assert!(longest >= before);
            before = longest;
        }
    }
}
