//! How batches of one priority share a provider's rate.

/// Returns how many of the next `left` people each batch may have asked. `waiting` holds the number of people who wait
/// in each batch, in the order of the batches' turns. All batches get the same share, except for those with fewer
/// people waiting. The first batches get the remainder of the division.
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

/// Returns how many people are asked until the last of a batch's `own` people is. `ahead` people wait in batches of a
/// higher priority; `beside` holds the number of people who wait in each other batch that shares the rate.
#[must_use]
pub fn until_done(own: i64, ahead: i64, beside: &[i64]) -> i64 {
    ahead + own + beside.iter().map(|waiting| (*waiting).min(own)).sum::<i64>()
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
