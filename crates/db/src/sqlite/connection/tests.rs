use std::fs::{File, read_to_string};

use super::*;
use crate::arg::Ints;

const NUMBERS: i64 = 100_000;

/// Returns this process' memory in megabytes.
fn memory() -> u64 {
    let status = read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn arrays_are_freed_after_their_statement() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.db");
    File::create(&path).unwrap();
    let mut conn = Sqlite::open(&path, WRITER_CACHE_KIB).unwrap();
    let numbers = Ints::of(0..NUMBERS);
    let before = memory();
    for _ in 0..64 {
        let counted = conn.row("SELECT COUNT(*) FROM IDS($1) AS e", &[&numbers]).unwrap();
        assert_eq!(counted, Some((NUMBERS,)));
    }
    // Each array takes 3 MB.
    let grown = memory().saturating_sub(before);
    assert!(grown < 96, "{grown} MB more after 64 arrays");
}
