//! Chunks of a batch's rows, for work on all of them. The rows of a large file lie in the order in which their people are
//! filed. Rows with consecutive numbers lie on as many pages, and a transaction would write each of these pages. So many rows
//! are read at once, and those whose people follow each other are written together.

/// Rows that are read at once.
pub(super) const READ_AT_ONCE: i64 = 64_000;

/// Rows that one transaction changes: others must not wait for more.
const WRITTEN_AT_ONCE: usize = 1_000;

/// Returns rows in chunks for one transaction each. A row is given by the reveal that it shows, or by a tuple that begins with
/// it. Rows that are given twice come once.
pub(super) fn in_chunks<R: Ord + Clone>(mut rows: Vec<R>) -> Vec<Vec<R>> {
    rows.sort_unstable();
    rows.dedup();
    rows.chunks(WRITTEN_AT_ONCE).map(<[R]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_who_follow_each_other_are_written_together() {
        let scattered: Vec<i64> = (0..2_500).map(|n| n * 1_009 % 2_500).chain([7]).collect();
        let chunks = in_chunks(scattered);
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert!(chunks.concat().into_iter().eq(0..2_500));
        assert!(in_chunks(Vec::<(Option<i64>, i64)>::new()).is_empty());
    }
}
