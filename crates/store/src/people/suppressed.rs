//! Suppressed people and numbers, which are never to be asked for or exported, remembered by keyed hashes only. Asked
//! by submits before a row is loaded, by claims before a request leaves, and by exports.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use db::bulk::{ints, same, words, write_rows};
use db::{Conn, exec, json, row, rows};
use hmac::{Hmac, KeyInit, Mac};
use jobs::identity::Persons;
use jobs::{IdentifierKind, RevealState, Timestamp};
use sha2::Sha256;

use crate::error::{Result, StoreError};
use crate::people::new_row::NewRow;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::lock_states;
use crate::reveals::ownership::assign_owners;
use crate::reveals::waterfall::waits;
use crate::topic::Topic;

/// The reason of rows that end because their person is suppressed.
pub(crate) const SUPPRESSED: &str = "suppressed";

/// Which secret keys the hashes.
pub(crate) const PURPOSE: &str = "suppression";

/// Turns identifiers and numbers into the hashes that are kept of them.
#[derive(Clone)]
pub(crate) struct SuppressionKey(Hmac<Sha256>);

/// An entry: what is suppressed, and because of which entry of the list. Where both are the same, it is on the list itself;
/// else it is another identifier of a person who is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) hash: i64,
    pub(crate) origin: i64,
    pub(crate) kind: &'static str,
}

impl SuppressionKey {
    pub(crate) fn new(secret: &str) -> Result<Self> {
        // HMAC takes keys of any length; the error is one of the trait only.
        Hmac::new_from_slice(secret.as_bytes())
            .map(SuppressionKey)
            .map_err(|_| StoreError::NotFound("the key for suppressions can't be used".into()))
    }

    /// The key of this database, if anything is suppressed here.
    pub(crate) async fn read(conn: &mut Conn) -> Result<Option<Self>> {
        let secret: Option<(String,)> = row!(
            conn,
            "SELECT secret FROM secrets WHERE purpose = $1
             AND EXISTS (SELECT 1 FROM suppressions) ORDER BY id LIMIT 1",
            PURPOSE,
        )?;
        secret.map(|(secret,)| SuppressionKey::new(&secret)).transpose()
    }

    /// The first 64 bits of the hash. They make the index small: among a million entries and ten million people, the chance
    /// that anybody is taken for somebody on the list is one in two million.
    pub(crate) fn hash(&self, text: &str) -> i64 {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().take(8).fold(0_u64, |hash, byte| (hash << 8) | u64::from(*byte)).cast_signed()
    }

    /// The hash of a number in E.164. No identifier begins like that.
    pub(crate) fn hash_phone(&self, e164: &str) -> i64 {
        self.hash(&format!("tel:{e164}"))
    }

    /// Because of which entries each of these hashes is suppressed; those that are not are missing.
    pub(crate) async fn origins(
        conn: &mut Conn,
        hashes: &BTreeSet<i64>,
    ) -> Result<HashMap<i64, Vec<i64>>> {
        let found: Vec<(i64, i64)> = rows!(
            conn,
            "SELECT x.hash, x.origin FROM IDS($1) AS e JOIN suppressions x ON x.hash = CAST(e.value AS BIGINT)",
            json(hashes),
        )?;
        let mut origins: HashMap<i64, Vec<i64>> = HashMap::new();
        for (hash, origin) in found {
            origins.entry(hash).or_default().push(origin);
        }
        Ok(origins)
    }
}

/// The rows of a chunk that are about suppressed people, under whichever identifier.
#[derive(Default)]
pub(crate) struct SuppressedRows {
    /// Their numbers.
    pub(crate) rows: HashSet<i64>,
    /// Identifiers that the rows show to be suppressed people's.
    learned: BTreeSet<Entry>,
}

impl SuppressedRows {
    /// Looks up all identifiers of the rows' persons. A row that stands between two people is about both of them.
    pub(crate) async fn of(
        conn: &mut Conn,
        new_rows: &[NewRow],
        persons: &Persons,
    ) -> Result<SuppressedRows> {
        let Some(key) = SuppressionKey::read(conn).await? else { return Ok(Self::default()) };
        let mut hashes: HashMap<&Arc<str>, i64> = HashMap::new();
        for identifier in new_rows.iter().flat_map(|row| &row.identifiers) {
            for one in persons.with(identifier) {
                hashes.entry(one).or_insert_with(|| key.hash(one));
            }
        }
        let origins = SuppressionKey::origins(conn, &hashes.values().copied().collect()).await?;
        let mut found = SuppressedRows::default();
        for row in new_rows.iter().filter(|_| !origins.is_empty()) {
            for person in row.identifiers.iter().map(|identifier| persons.with(identifier)) {
                let because = person.iter().filter_map(|one| origins.get(hashes.get(one)?));
                let because: BTreeSet<i64> = because.flatten().copied().collect();
                if !because.is_empty() {
                    found.rows.insert(row.number);
                }
                for origin in because {
                    let entry = |one: &Arc<str>| entry(one, *hashes.get(one)?, origin);
                    found.learned.extend(person.iter().filter_map(entry));
                }
            }
        }
        Ok(found)
    }

    /// Remembers the other identifiers of suppressed people: of rows that ask for nobody, the evidence is not kept.
    pub(crate) async fn remember(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let learned: Vec<Entry> = self.learned.iter().copied().collect();
        insert(conn, &learned, now).await.map(|_| ())
    }
}

/// An entry for an encoded identifier.
pub(crate) fn entry(identifier: &str, hash: i64, origin: i64) -> Option<Entry> {
    let kind = IdentifierKind::of_encoded(identifier)?.as_str();
    Some(Entry { hash, origin, kind })
}

/// Writes entries; how many were not there.
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
    Ok(added)
}

/// Those of these people, by their reveals and subjects, who are suppressed.
pub(crate) async fn suppressed_among<'a>(
    conn: &mut Conn,
    people: impl Iterator<Item = (i64, &'a str)>,
) -> Result<Vec<i64>> {
    let Some(key) = SuppressionKey::read(conn).await? else { return Ok(Vec::new()) };
    let hashes: Vec<(i64, i64)> =
        people.map(|(reveal, subject)| (reveal, key.hash(subject))).collect();
    let all = hashes.iter().map(|(_, hash)| *hash).collect();
    let origins = SuppressionKey::origins(conn, &all).await?;
    let suppressed = hashes.into_iter().filter(|(_, hash)| origins.contains_key(hash));
    Ok(suppressed.map(|(reveal, _)| reveal).collect())
}

/// Ends all rows that wait for these people, who leave the queue. Those who were asked keep their course. How many rows
/// ended.
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
    let ended: Vec<(i64, i64)> = rows!(
        conn,
        "UPDATE batch_rows SET ended = $3, ended_at = $2
         WHERE reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e) AND ended IS NULL
         RETURNING batch_id, reveal_id",
        json(&ids),
        now.0,
        SUPPRESSED,
    )?;
    for (batch, reveal) in &ended {
        if let Some(&(provider, state)) = waiting.get(reveal) {
            totals.moved(*batch, (provider, state), (provider, RevealState::Cancelled), 1);
        }
    }
    assign_owners(conn, totals, &ids, now).await?;
    conn.announce(Topic::Queue);
    Ok(i64::try_from(ended.len()).unwrap_or(i64::MAX))
}

/// Takes entries off, with the other identifiers that were suppressed because of them. How many were on the list.
pub(crate) async fn remove(conn: &mut Conn, hashes: &BTreeSet<i64>) -> Result<i64> {
    let listed = exec!(
        conn,
        "DELETE FROM suppressions WHERE origin = hash AND hash IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(hashes),
    )?;
    exec!(
        conn,
        "DELETE FROM suppressions WHERE origin <> hash AND origin IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(hashes),
    )?;
    Ok(i64::try_from(listed).unwrap_or(i64::MAX))
}
