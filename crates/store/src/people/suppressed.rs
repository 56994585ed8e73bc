//! Suppressed people and numbers, which must never be asked for or exported. Only keyed hashes of them are kept. Submits
//! check a row before it is loaded, claims check before a request is sent, and exports check before they write a result.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use db::bulk::{ints, same, words, write_rows};
use db::{Conn, Ints};
use jobs::identity::Persons;
use jobs::{IdentifierKind, RevealState, Timestamp};

use crate::error::Result;
use crate::people::new_row::NewRow;
use crate::people::suppression_filter;
use crate::people::suppression_list::{SuppressionList, SuppressionVersion};
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::lock_states;
use crate::reveals::ownership::assign_owners;
use crate::reveals::waterfall::waits;
use crate::topic::Topic;

/// The reason of rows that end because their person is suppressed.
pub(crate) const SUPPRESSED: &str = "suppressed";

/// A suppressed hash, and the entry of the list that causes the suppression. If both are the same, the hash is on the list
/// itself. Otherwise it is another identifier of a person on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) hash: i64,
    pub(crate) origin: i64,
    pub(crate) kind: &'static str,
}

/// Returns the entries because of which each of these hashes is suppressed. Hashes that are not suppressed are left out.
pub(crate) async fn origins_of(
    conn: &mut Conn,
    hashes: &BTreeSet<i64>,
) -> Result<HashMap<i64, Vec<i64>>> {
    let found: Vec<(i64, i64)> = conn
        .fetch_all(
            "SELECT x.hash, x.origin FROM IDS($1) AS e JOIN suppressions x ON x.hash = e.value",
            &[&Ints::of(hashes)],
        )
        .await?;
    let mut origins: HashMap<i64, Vec<i64>> = HashMap::new();
    for (hash, origin) in found {
        origins.entry(hash).or_default().push(origin);
    }
    Ok(origins)
}

/// The rows of a chunk that are about suppressed people, under any identifier.
#[derive(Default)]
pub(crate) struct SuppressedRows {
    /// The row numbers.
    pub(crate) rows: HashSet<i64>,
    /// Further identifiers of suppressed people that the rows show.
    learned: BTreeSet<Entry>,
}

impl SuppressedRows {
    /// Looks up all identifiers of the rows' persons. A row whose identifiers belong to two people is about both.
    pub(crate) async fn of(
        conn: &mut Conn,
        list: Option<&SuppressionList>,
        new_rows: &[NewRow],
        persons: &Persons,
    ) -> Result<SuppressedRows> {
        let Some(SuppressionList { key, filter }) = list else { return Ok(Self::default()) };
        let mut candidates: HashMap<&Arc<str>, i64> = HashMap::new();
        for identifier in new_rows.iter().flat_map(|row| &row.identifiers) {
            for one in persons.with(identifier) {
                let hash = key.hash(one);
                if filter.may_hold(hash) {
                    candidates.insert(one, hash);
                }
            }
        }
        let origins = origins_of(conn, &candidates.values().copied().collect()).await?;
        let mut found = SuppressedRows::default();
        for row in new_rows.iter().filter(|_| !origins.is_empty()) {
            for person in row.identifiers.iter().map(|identifier| persons.with(identifier)) {
                let because = person.iter().filter_map(|one| origins.get(candidates.get(one)?));
                let because: BTreeSet<i64> = because.flatten().copied().collect();
                if !because.is_empty() {
                    found.rows.insert(row.number);
                }
                for origin in because {
                    let entry = |one: &Arc<str>| entry(one, key.hash(one), origin);
                    found.learned.extend(person.iter().filter_map(entry));
                }
            }
        }
        Ok(found)
    }

    /// Stores the other identifiers of suppressed people, since the evidence of rows that ask for no person is not kept.
    pub(crate) async fn remember(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let learned: Vec<Entry> = self.learned.iter().copied().collect();
        insert(conn, &learned, now).await.map(|_| ())
    }
}

/// Returns an entry for an encoded identifier.
pub(crate) fn entry(identifier: &str, hash: i64, origin: i64) -> Option<Entry> {
    let kind = IdentifierKind::of_encoded(identifier)?.as_str();
    Some(Entry { hash, origin, kind })
}

/// Writes entries, and returns how many are new. The caller must hold the lock on `reveal_ids`.
pub(crate) async fn insert(conn: &mut Conn, entries: &[Entry], now: Timestamp) -> Result<u64> {
    let columns = vec![
        ("hash", ints(entries.iter().map(|entry| entry.hash))),
        ("origin", ints(entries.iter().map(|entry| entry.origin))),
        ("kind", words(entries.iter().map(|entry| Some(entry.kind)))),
        ("now", same(now.0, entries.len())),
    ];
    let added = write_rows(
        conn,
        "INSERT INTO suppressions (hash, origin, kind, added_at)
         SELECT e.hash, e.origin, e.kind, e.now FROM ROWS WHERE TRUE ON CONFLICT (hash, origin) DO NOTHING",
        columns,
    )
    .await?;
    let hashes: BTreeSet<i64> = entries.iter().map(|entry| entry.hash).collect();
    if suppression_filter::add(conn, &hashes).await? {
        SuppressionVersion::change(conn).await?;
    }
    Ok(added)
}

/// Returns the reveals of suppressed people among these reveals and their subjects.
pub(crate) async fn suppressed_among<'a>(
    conn: &mut Conn,
    people: impl Iterator<Item = (i64, &'a str)>,
) -> Result<Vec<i64>> {
    let Some(key) = SuppressionList::key(conn).await? else { return Ok(Vec::new()) };
    let hashes: Vec<(i64, i64)> =
        people.map(|(reveal, subject)| (reveal, key.hash(subject))).collect();
    let all = hashes.iter().map(|(_, hash)| *hash).collect();
    let origins = origins_of(conn, &all).await?;
    let suppressed = hashes.into_iter().filter(|(_, hash)| origins.contains_key(hash));
    Ok(suppressed.map(|(reveal, _)| reveal).collect())
}

/// Ends all rows that wait for these people, and takes the people out of the queue. People who were asked already are not
/// affected. Returns how many rows ended.
pub(crate) async fn end_waiting(
    conn: &mut Conn,
    totals: &mut Totals,
    people: &[i64],
    now: Timestamp,
) -> Result<i64> {
    let mut waiting = lock_states(conn, &people.iter().copied().collect()).await?;
    waiting.retain(|_, (_, state)| waits(*state));
    let ids: Vec<i64> = waiting.keys().copied().collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let ended: Vec<(i64, i64)> = conn
        .fetch_all(
            "UPDATE batch_rows SET ended = $3, ended_at = $2
             WHERE reveal_id IN (SELECT e.value FROM IDS($1) AS e) AND ended IS NULL
             RETURNING batch_id, reveal_id",
            &[&Ints::of(&ids), &now.0, &SUPPRESSED],
        )
        .await?;
    for (batch, reveal) in &ended {
        if let Some(&(provider, state)) = waiting.get(reveal) {
            totals.moved(*batch, (provider, state), (provider, RevealState::Cancelled), 1);
        }
    }
    assign_owners(conn, totals, &ids, now).await?;
    conn.announce(Topic::Queue);
    Ok(i64::try_from(ended.len()).unwrap_or(i64::MAX))
}

/// Takes entries off the list, with the other identifiers that were suppressed because of them. Returns how many entries
/// were on the list.
pub(crate) async fn remove(conn: &mut Conn, hashes: &BTreeSet<i64>) -> Result<i64> {
    let listed = conn.execute(
        "DELETE FROM suppressions WHERE origin = hash AND hash IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(hashes)],
    )
    .await?;
    conn.execute(
        "DELETE FROM suppressions WHERE origin <> hash AND origin IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(hashes)],
    )
    .await?;
    suppression_filter::discard_if_unused(conn).await?;
    Ok(i64::try_from(listed).unwrap_or(i64::MAX))
}
