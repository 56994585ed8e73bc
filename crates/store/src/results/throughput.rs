//! How many results came in each minute of the last hours: counted as they are settled, one statement a transaction, so
//! that showing the numbers never counts reveals.

use std::collections::BTreeMap;

use db::bulk::{ints, same, words, write_rows};
use db::{Conn, record};
use jobs::{Provider, RevealState, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;

const MINUTE_MS: i64 = 60_000;

/// Minutes that are kept; a slot is used again a day later.
const SLOTS: i64 = 24 * 60;

/// The results of one provider in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// The provider that answered.
    pub provider: Provider,
    /// Minutes since 1970.
    pub minute: i64,
    /// People with a number.
    pub found: i64,
    /// People without a number.
    pub not_found: i64,
}

#[derive(Default)]
struct Count {
    found: i64,
    not_found: i64,
}

/// Counts results of this moment, last of all in a transaction: a transaction that holds a minute's row waits for no other,
/// so no two can wait for each other.
pub(crate) async fn count_results(
    conn: &mut Conn,
    results: impl Iterator<Item = (Provider, RevealState)>,
    now: Timestamp,
) -> Result<()> {
    let mut counts: BTreeMap<Provider, Count> = BTreeMap::new();
    for (provider, state) in results {
        match state {
            RevealState::Found => counts.entry(provider).or_default().found += 1,
            RevealState::NotFound => counts.entry(provider).or_default().not_found += 1,
            _ => {}
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let minute = now.0.div_euclid(MINUTE_MS);
    let columns = vec![
        ("provider", words(counts.keys().map(|provider| Some(provider.as_str())))),
        ("slot", same(minute.rem_euclid(SLOTS), counts.len())),
        ("minute", same(minute, counts.len())),
        ("found", ints(counts.values().map(|count| count.found))),
        ("not_found", ints(counts.values().map(|count| count.not_found))),
    ];
    write_rows(
        conn,
        "INSERT INTO results_per_minute (provider, slot, minute, found, not_found)
         SELECT e.provider, e.slot, e.minute, e.found, e.not_found FROM ROWS WHERE TRUE
         ON CONFLICT (provider, slot) DO UPDATE SET
            found = excluded.found
                + CASE WHEN results_per_minute.minute = excluded.minute THEN results_per_minute.found ELSE 0 END,
            not_found = excluded.not_found
                + CASE WHEN results_per_minute.minute = excluded.minute THEN results_per_minute.not_found ELSE 0 END,
            minute = excluded.minute",
        columns,
    )
    .await?;
    Ok(())
}

record! {
    /// The counts of one provider in one minute.
    struct MinuteRow {
        provider: String,
        minute: i64,
        found: i64,
        not_found: i64,
    }
}

/// The minutes since `since` in which results came, the oldest first.
pub(crate) async fn read_minutes(conn: &mut Conn, since: Timestamp) -> Result<Vec<Minute>> {
    let rows: Vec<MinuteRow> = conn
        .fetch_all(
            "SELECT provider, minute, found, not_found FROM results_per_minute WHERE minute >= $1
             ORDER BY minute, provider DESC",
            &[&since.0.div_euclid(MINUTE_MS)],
        )
        .await?;
    rows.into_iter()
        .map(|MinuteRow { provider, minute, found, not_found }| {
            Ok(Minute { provider: parse_provider(&provider, minute)?, minute, found, not_found })
        })
        .collect()
}
