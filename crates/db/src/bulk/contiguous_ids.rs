//! Ranges among ids. Rows that were made together have contiguous ids and are mostly changed together: reading the table from
//! the first to the last takes a quarter to two thirds of the time of looking each up.

use std::ops::{Range, RangeInclusive};

/// So many that follow each other are worth a statement of their own.
const LONG: usize = 8;

/// Some of a list's numbers, by their places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// They follow each other.
    Range(Range<usize>),
    /// They don't.
    Others(Range<usize>),
}

/// The list in parts. `follows` says of each place but the first whether the number there follows the one before.
pub(crate) fn parts(many: usize, follows: impl Fn(usize) -> bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut others = 0;
    let mut first = 0;
    while first < many {
        let end = (first + 1..many).find(|place| !follows(*place)).unwrap_or(many);
        if end - first >= LONG {
            if others < first {
                parts.push(Part::Others(others..first));
            }
            parts.push(Part::Range(first..end));
            others = end;
        }
        first = end;
    }
    if others < many {
        parts.push(Part::Others(others..many));
    }
    parts
}

/// Some of a list's numbers.
pub enum Ids<'a> {
    /// All from the first to the last.
    Range(RangeInclusive<i64>),
    /// These.
    Others(&'a [i64]),
}

/// The list in parts, in its order.
pub fn in_ranges(ids: &[i64]) -> impl Iterator<Item = Ids<'_>> {
    let parts = parts(ids.len(), |place| ids[place] == ids[place - 1] + 1);
    parts.into_iter().map(|part| match part {
        Part::Range(places) => Ids::Range(ids[places.start]..=ids[places.end - 1]),
        Part::Others(places) => Ids::Others(&ids[places]),
    })
}

/// All rows of `$from` whose `$key` is one of the numbers, part after part, each as `$rest` goes on.
#[macro_export]
macro_rules! rows_of {
    ($conn:expr, $ids:expr, $select:literal, $from:literal, $key:literal, $rest:literal) => {{
        let mut all = Vec::new();
        for part in $crate::macros::in_ranges($ids) {
            all.append(&mut match part {
                $crate::macros::Ids::Range(range) => $crate::rows!(
                    $conn,
                    concat!(
                        $select,
                        " FROM ",
                        $from,
                        " WHERE ",
                        $key,
                        " BETWEEN $1 AND $2 ",
                        $rest
                    ),
                    *range.start(),
                    *range.end(),
                ),
                $crate::macros::Ids::Others(ids) => $crate::rows!(
                    $conn,
                    concat!(
                        $select,
                        " FROM IDS($1) AS e JOIN ",
                        $from,
                        " ON ",
                        $key,
                        " = CAST(e.value AS BIGINT) ",
                        $rest
                    ),
                    $crate::json(&ids),
                ),
            }?);
        }
        all
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(ids: &[i64]) -> Vec<Part> {
        parts(ids.len(), |place| ids[place] == ids[place - 1] + 1)
    }

    #[test]
    fn what_follows_is_a_range_and_the_rest_lies_between() {
        let ids: Vec<i64> =
            [3, 4].into_iter().chain(10..20).chain([30, 29]).chain(50..58).collect();
        let expected =
            [Part::Others(0..2), Part::Range(2..12), Part::Others(12..14), Part::Range(14..22)];
        assert_eq!(parts_of(&ids), expected);
        assert_eq!(parts_of(&[1, 2, 3, 9]), [Part::Others(0..4)]);
        assert_eq!(parts_of(&[]), []);
    }
}
