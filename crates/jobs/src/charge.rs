use crate::Credits;

/// Returns the credits that a body's `creditsUsed` charges for the people who are new in it. The provider does not
/// publish whether the number is the cost of this body or of the whole request so far. The reading that is nearer to
/// the expected cost of the new numbers counts.
#[must_use]
pub fn newly_used(used: Credits, booked: Credits, expected: Credits) -> Credits {
    let since = used - booked;
    let distance = |credits: Credits| (credits - expected).abs();
    if since >= Credits::ZERO && distance(since) <= distance(used) { since } else { used }
}

/// Divides credits among people in proportion to their numbers, without losing a thousandth. The largest remainders get
/// the thousandths that are left; of two equal remainders, the earlier one comes first.
#[must_use]
pub fn shares(total: Credits, numbers: &[i64]) -> Vec<Credits> {
    let all: i128 = numbers.iter().map(|n| i128::from(*n)).sum();
    if all <= 0 {
        return vec![Credits::ZERO; numbers.len()];
    }
    let whole = i128::from(total.thousandths());
    let part = |n: &i64| whole * i128::from(*n);
    let floors = numbers.iter().map(|n| part(n).div_euclid(all));
    let mut shares: Vec<i64> = floors.map(|share| i64::try_from(share).unwrap_or(0)).collect();
    let left = total.thousandths() - shares.iter().sum::<i64>();
    let mut places: Vec<usize> = (0..numbers.len()).collect();
    places.sort_by_key(|place| std::cmp::Reverse(part(&numbers[*place]).rem_euclid(all)));
    for place in places.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[place] += 1;
    }
    shares.into_iter().map(Credits::from_thousandths).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_nearer_reading_counts() {
        for (used, booked, expected, newly) in [
            (30, 0, 30, 30),
            // The total of the request so far, then the cost of the second body alone.
            (50, 30, 20, 20),
            (20, 30, 20, 20),
            // Cheaper, and dearer, than expected.
            (15, 0, 20, 15),
            (45, 30, 20, 15),
            (25, 30, 20, 25),
            // Nothing was charged for people who were paid for before.
            (0, 0, 10, 0),
            (30, 30, 0, 0),
        ] {
            let [used, booked, expected, newly] =
                [used, booked, expected, newly].map(Credits::whole);
            assert_eq!(newly_used(used, booked, expected), newly, "{used} {booked} {expected}");
        }
    }

    #[test]
    fn shares_follow_the_numbers() {
        let thousandths = |of: &[i64]| -> Vec<Credits> {
            of.iter().map(|n| Credits::from_thousandths(*n)).collect()
        };
        assert_eq!(shares(Credits::whole(30), &[1, 2]), thousandths(&[10_000, 20_000]));
        assert_eq!(shares(Credits::whole(10), &[1, 1, 1]), thousandths(&[3_334, 3_333, 3_333]));
        assert_eq!(shares(Credits::ZERO, &[1, 2]), thousandths(&[0, 0]));
        assert_eq!(shares(Credits::whole(10), &[]), thousandths(&[]));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            total in 0i64..1_000_000_000,
            numbers in proptest::collection::vec(1i64..9, 1..500),
        ) {
            let shares = shares(Credits::from_thousandths(total), &numbers);
            prop_assert_eq!(shares.iter().copied().sum::<Credits>().thousandths(), total);
            prop_assert!(shares.iter().all(|share| *share >= Credits::ZERO));
        }
    }
}
