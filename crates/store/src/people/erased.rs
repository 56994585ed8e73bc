//! Erased people, remembered by keyed hashes only, so that they are never asked for again.

use std::collections::{BTreeSet, HashMap, HashSet};

use db::{Conn, Ints};
use jobs::Timestamp;

use crate::error::Result;
use crate::people::hash_key::HashKey;
use crate::people::new_row::NewRow;

/// The prefix of the placeholder for an erased person's identifier.
pub(crate) const ERASED: &str = "erased:";

/// Returns the hash key of this database, if any person was ever erased here.
pub(crate) async fn read_key(conn: &mut Conn) -> Result<Option<HashKey>> {
    let secret: Option<(String,)> = conn
        .fetch_optional(
            "SELECT secret FROM secrets WHERE purpose = 'erasure'
             AND EXISTS (SELECT 1 FROM erasures) ORDER BY id LIMIT 1",
            &[],
        )
        .await?;
    Ok(secret.map(|(secret,)| HashKey::new(&secret)))
}

/// Returns the placeholder that replaces an identifier of an erased person.
pub(crate) fn placeholder(key: &HashKey, identifier: &str) -> String {
    format!("{ERASED}{:016x}", key.hash(identifier))
}

/// Ends the rows that show these people, and keeps none of their columns. Returns the number of rows.
pub(crate) async fn end_rows(conn: &mut Conn, reveals: &[i64], now: Timestamp) -> Result<u64> {
    Ok(conn.execute(
        "UPDATE batch_rows SET ended = 'erased', ended_at = COALESCE(ended_at, $2),
            fields = CASE WHEN (SELECT b.header FROM batches b WHERE b.id = batch_rows.batch_id) IS NULL
                          THEN '{}' ELSE '[]' END
         WHERE reveal_id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(reveals), &now.0],
    )
    .await?)
}

/// Marks rows of erased people, by any identifier on the row.
pub(crate) async fn mark_erased(conn: &mut Conn, new_rows: &mut [NewRow]) -> Result<()> {
    let Some(key) = read_key(conn).await? else { return Ok(()) };
    let identifiers = new_rows.iter().flat_map(|row| &row.identifiers).map(|one| &**one);
    let erased = erased_among(conn, &key, identifiers).await?;
    for row in new_rows {
        row.erased |= row.identifiers.iter().any(|one| erased.contains(&**one));
    }
    Ok(())
}

/// Returns those of the identifiers under which a person was erased.
pub(crate) async fn erased_among<'a>(
    conn: &mut Conn,
    key: &HashKey,
    identifiers: impl Iterator<Item = &'a str>,
) -> Result<HashSet<String>> {
    let by_hash: HashMap<i64, &str> = identifiers.map(|one| (key.hash(one), one)).collect();
    let hashes: Vec<i64> = by_hash.keys().copied().collect();
    let erased: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT x.hash FROM IDS($1) AS e JOIN erasures x ON x.hash = e.value",
            &[&Ints::of(&hashes)],
        )
        .await?;
    let identifier = |(hash,): &(i64,)| by_hash.get(hash).map(|one| (*one).to_owned());
    Ok(erased.iter().filter_map(identifier).collect())
}

/// Returns those of the identifiers under which a person was erased; none if no person was ever erased here.
pub(crate) async fn those_erased(
    conn: &mut Conn,
    identifiers: &BTreeSet<String>,
) -> Result<HashSet<String>> {
    match read_key(conn).await? {
        Some(key) => erased_among(conn, &key, identifiers.iter().map(String::as_str)).await,
        None => Ok(HashSet::new()),
    }
}

/// Remembers identifiers by their hashes.
pub(crate) async fn remember(
    conn: &mut Conn,
    key: &HashKey,
    identifiers: &BTreeSet<String>,
    now: Timestamp,
) -> Result<()> {
    let hashes: Vec<i64> = identifiers.iter().map(|identifier| key.hash(identifier)).collect();
    conn.execute(
        "INSERT INTO erasures (hash, erased_at) SELECT e.value, CAST($2 AS BIGINT) FROM IDS($1) AS e
         WHERE TRUE ON CONFLICT (hash) DO NOTHING",
        &[&Ints::of(&hashes), &now.0],
    )
    .await?;
    Ok(())
}
