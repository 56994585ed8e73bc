//! How batches of one priority share a provider's rate.

/// Returns how many of the next `left` people each batch may have asked. `waiting` holds the number of people who wait
/// in each batch, in the order in which the batches are served. All batches get the same share, except for those with
/// fewer people waiting. The first batches get the remainder of the division.
#[must_use]
pub fn shares(mut left: usize, waiting: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; waiting.len()];
    loop {
        let open: Vec<usize> = (0..shares.len()).filter(|&n| shares[n] < waiting[n]).collect();
        if left == 0 || open.is_empty() {
            return shares;
        }
        let each = (left / open.len()).max(1);
        for n in open {
            let more = each.min(waiting[n] - shares[n]).min(left);
            shares[n] += more;
            left -= more;
        }
    }
}

/// Places for people of several batches, handed out batch by batch. What a batch can't fill goes to the next one: some
/// batches only share people that other batches own.
#[derive(Debug)]
pub struct Places {
    /// The batches that are still to come, the last one first, with their shares.
    left: Vec<(usize, usize)>,
    /// Places that no batch has filled so far.
    unused: usize,
}

impl Places {
    /// Shares out `wanted` places by [`shares`]. The batch with the fewest people waiting comes first. Batches without a
    /// share come last, and get what the other batches leave.
    #[must_use]
    pub fn share_out(wanted: usize, waiting: &[usize]) -> Places {
        let shares = shares(wanted, waiting);
        let unused = wanted - shares.iter().sum::<usize>();
        let mut left: Vec<(usize, usize)> = shares.into_iter().enumerate().collect();
        left.sort_by_key(|(nth, share)| (*share == 0, waiting[*nth]));
        left.reverse();
        Places { left, unused }
    }

    /// Returns the next batch, as its index in `waiting`, and how many places it may fill. `None` at the end; a batch for
    /// which no place is left is passed over.
    pub fn next_batch(&mut self) -> Option<(usize, usize)> {
        while let Some((nth, share)) = self.left.pop() {
            self.unused += share;
            if self.unused > 0 {
                return Some((nth, self.unused));
            }
        }
        None
    }

    /// Notes how many places the batch has filled.
    pub fn fill(&mut self, places: usize) {
        self.unused = self.unused.saturating_sub(places);
    }
}

/// Returns how many people are asked until the last of a batch's `own` people is. `ahead` people wait in batches of a
/// higher priority. `others` has the number of people who wait in each other batch that shares the rate.
#[must_use]
pub fn until_done(own: i64, ahead: i64, others: &[i64]) -> i64 {
    ahead + own + others.iter().map(|waiting| (*waiting).min(own)).sum::<i64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_have_the_same_but_those_that_need_less() {
        let table: &[(usize, &[usize], &[usize])] = &[
            (1, &[20_000, 200], &[1, 0]),
            (32, &[20_000, 200], &[16, 16]),
            (500, &[20_000, 200], &[300, 200]),
            (500, &[20_000, 400], &[250, 250]),
            (500, &[100, 200], &[100, 200]),
            (5, &[9, 9, 9], &[2, 2, 1]),
            (7, &[1, 9, 0, 9], &[1, 3, 0, 3]),
            (3, &[], &[]),
        ];
        for (left, waiting, expected) in table {
            assert_eq!(shares(*left, waiting), *expected, "{left} of {waiting:?}");
        }
    }

    #[test]
    fn what_a_batch_leaves_goes_to_the_next() {
        // What is wanted, how many people wait, how many of them each batch owns; what each batch may fill, in turn.
        type Case = (usize, &'static [usize], &'static [usize], &'static [(usize, usize)]);
        let table: &[Case] = &[
            (10, &[20, 3], &[20, 3], &[(1, 3), (0, 7)]),
            (10, &[20, 3], &[20, 0], &[(1, 3), (0, 10)]),
            (10, &[20, 30], &[2, 30], &[(0, 5), (1, 8)]),
            (1, &[20, 30, 40], &[0, 0, 9], &[(0, 1), (1, 1), (2, 1)]),
            (1, &[20, 30, 40], &[1, 0, 9], &[(0, 1)]),
            (9, &[2, 3], &[2, 3], &[(0, 6), (1, 7)]),
            (0, &[2], &[2], &[]),
            (5, &[], &[], &[]),
        ];
        for (wanted, waiting, owned, expected) in table {
            let mut places = Places::share_out(*wanted, waiting);
            let mut offered = Vec::new();
            while let Some((nth, most)) = places.next_batch() {
                offered.push((nth, most));
                places.fill(most.min(owned[nth]));
            }
            assert_eq!(offered, *expected, "{wanted} of {waiting:?}, {owned:?} owned");
        }
    }

    #[test]
    fn a_small_batch_waits_for_as_many_of_a_large_one() {
        assert_eq!(until_done(200, 0, &[20_000]), 400);
        assert_eq!(until_done(20_000, 0, &[200]), 20_200);
        assert_eq!(until_done(200, 1_000, &[]), 1_200);
    }

    proptest! {
        /// Nothing is left over that any batch could use, and none has more than it needs.
        #[test]
        fn everything_is_shared_out(left in 0..600usize, waiting in prop::collection::vec(0..300usize, 0..8)) {
            let shares = shares(left, &waiting);
            prop_assert!(shares.iter().zip(&waiting).all(|(share, waiting)| share <= waiting));
            let all: usize = waiting.iter().sum();
            prop_assert_eq!(shares.iter().sum::<usize>(), left.min(all));
        }
    }
}
