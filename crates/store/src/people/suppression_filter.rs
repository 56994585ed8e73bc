//! A Bloom filter of the whole suppression list. It shows without a look-up that a hash is not on the list. A submit looks
//! up only hashes that pass the filter, so that a long list costs next to nothing.
//!
//! The filter is kept in segments of 1 KiB, 2,048 at most. With a million entries, about one in 490 of the hashes that are
//! not on the list pass. With ten million entries 68 % pass, so a list of that length costs nearly as much as without a
//! filter.

use std::collections::{BTreeMap, BTreeSet};

use db::bulk::{Column, ints, write_rows};
use db::{Conn, Ints};

use crate::error::Result;

/// The number of leading bits of a hash that choose the segment.
const SEGMENT_BITS: u32 = 11;

/// The number of bits in a segment, as a power of two.
const POSITION_BITS: u32 = 13;

/// The number of bits that represent a hash.
const PROBES: u32 = 4;

type Segment = Vec<u8>;

/// The filter as the ledger holds it. A missing segment has no bit set.
pub(crate) struct SuppressionFilter(BTreeMap<i64, Segment>);

impl SuppressionFilter {
    pub(crate) async fn read(conn: &mut Conn) -> Result<SuppressionFilter> {
        let segments: Vec<(i64, Segment)> =
            conn.fetch_all("SELECT segment, bits FROM suppression_filter", &[]).await?;
        Ok(SuppressionFilter(segments.into_iter().collect()))
    }

    /// Returns whether the hash may be on the list. If false, it certainly isn't.
    pub(crate) fn may_hold(&self, hash: i64) -> bool {
        let Some(segment) = self.0.get(&segment_of(hash)) else { return false };
        bits_of(hash).all(|(byte, bit)| segment.get(byte).is_some_and(|bits| bits & bit != 0))
    }

    fn insert(&mut self, hash: i64) {
        let empty = || vec![0; (1 << POSITION_BITS) / 8];
        let segment = self.0.entry(segment_of(hash)).or_insert_with(empty);
        for (byte, bit) in bits_of(hash) {
            if let Some(bits) = segment.get_mut(byte) {
                *bits |= bit;
            }
        }
    }
}

fn segment_of(hash: i64) -> i64 {
    (hash.cast_unsigned() >> (u64::BITS - SEGMENT_BITS)).cast_signed()
}

/// Returns the hash's bits, each as the index of a byte in the segment and a mask for that byte.
fn bits_of(hash: i64) -> impl Iterator<Item = (usize, u8)> {
    let position = move |probe| (hash.cast_unsigned() >> (probe * POSITION_BITS)) as usize;
    let positions = (0..PROBES).map(move |probe| position(probe) % (1 << POSITION_BITS));
    positions.map(|position| (position / 8, 1 << (position % 8)))
}

/// Adds hashes, and returns whether any was missing. The lock on `reveal_ids` keeps other transactions from adding to the
/// same segments meanwhile.
pub(crate) async fn add(conn: &mut Conn, hashes: &BTreeSet<i64>) -> Result<bool> {
    let segments: BTreeSet<i64> = hashes.iter().copied().map(segment_of).collect();
    let found: Vec<(i64, Segment)> = conn.fetch_all(
        "SELECT f.segment, f.bits FROM IDS($1) AS e JOIN suppression_filter f ON f.segment = e.value",
        &[&Ints::of(&segments)],
    )
    .await?;
    let mut filter = SuppressionFilter(found.into_iter().collect());
    let missing: Vec<i64> = hashes.iter().copied().filter(|hash| !filter.may_hold(*hash)).collect();
    let changed: BTreeSet<i64> = missing.iter().copied().map(segment_of).collect();
    missing.into_iter().for_each(|hash| filter.insert(hash));
    filter.0.retain(|segment, _| changed.contains(segment));
    let columns = vec![
        ("segment", ints(filter.0.keys().copied())),
        ("bits", Column::Blobs(filter.0.into_values().collect())),
    ];
    let written = write_rows(
        conn,
        "INSERT INTO suppression_filter (segment, bits) SELECT e.segment, e.bits FROM ROWS WHERE TRUE
         ON CONFLICT (segment) DO UPDATE SET bits = excluded.bits",
        columns,
    )
    .await?;
    Ok(written > 0)
}

/// Empties the filter once the list is empty. Until then, an entry that was removed from the list costs a look-up.
pub(crate) async fn discard_if_unused(conn: &mut Conn) -> Result<()> {
    conn.execute(
        "DELETE FROM suppression_filter WHERE NOT EXISTS (SELECT 1 FROM suppressions)",
        &[],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_added_passes(hashes: Vec<i64>) {
            let mut filter = SuppressionFilter(BTreeMap::new());
            hashes.iter().for_each(|hash| filter.insert(*hash));
            prop_assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
        }
    }

    #[test]
    fn of_a_million_entries_few_others_pass() {
        let mut filter = SuppressionFilter(BTreeMap::new());
        assert!(!filter.may_hold(0));
        let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).cast_signed();
        let mut hashes = (1..).map(|n: u64| hash(n.wrapping_mul(n | 1)));
        hashes.by_ref().take(1_000_000).for_each(|hash| filter.insert(hash));
        let passed = hashes.take(100_000).filter(|hash| filter.may_hold(*hash)).count();
        assert!(passed < 500, "{passed}");
        assert!(filter.0.len() <= 1 << SEGMENT_BITS);
        assert!(filter.0.values().all(|segment| segment.len() == 1024));
    }
}
