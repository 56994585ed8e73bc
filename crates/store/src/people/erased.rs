//! Erased people, remembered by keyed hashes only, so that they are never asked for again.

use std::collections::{BTreeSet, HashMap, HashSet};

use db::{Conn, Texts, exec, json, row, rows};
use hmac::{Hmac, KeyInit, Mac};
use jobs::Timestamp;
use sha2::Sha256;

use crate::error::{Result, StoreError};
use crate::people::new_row::NewRow;

/// How the placeholder of an erased person's identifier begins.
pub(crate) const ERASED: &str = "erased:";

/// Turns identifiers into the hashes that are kept of them.
#[derive(Clone)]
pub(crate) struct ErasureKey(Hmac<Sha256>);

impl ErasureKey {
    pub(crate) fn new(secret: &str) -> Result<Self> {
        // HMAC takes keys of any length; the error is one of the trait only.
        Hmac::new_from_slice(secret.as_bytes())
            .map(ErasureKey)
            .map_err(|_| StoreError::NotFound("the key for erasures can't be used".into()))
    }

    /// The key of this database, if any person was ever erased here.
    pub(crate) async fn read(conn: &mut Conn) -> Result<Option<Self>> {
        let secret: Option<(String,)> = row!(
            conn,
            "SELECT secret FROM secrets WHERE purpose = 'erasure'
             AND EXISTS (SELECT 1 FROM erasures) ORDER BY id LIMIT 1",
        )?;
        secret.map(|(secret,)| ErasureKey::new(&secret)).transpose()
    }

    /// The hash of an encoded identifier, in hexadecimal digits.
    pub(crate) fn hash(&self, identifier: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(identifier.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What stands in the place of an identifier of an erased person.
    pub(crate) fn placeholder(&self, identifier: &str) -> String {
        format!("{ERASED}{}", self.hash(identifier))
    }
}

/// Ends the rows that show these people; of their columns nothing is kept. Gives how many there were.
pub(crate) async fn end_rows(conn: &mut Conn, reveals: &[i64], now: Timestamp) -> Result<u64> {
    Ok(exec!(
        conn,
        "UPDATE batch_rows SET ended = 'erased', ended_at = COALESCE(ended_at, $2),
            fields = CASE WHEN (SELECT b.header FROM batches b WHERE b.id = batch_rows.batch_id) IS NULL
                          THEN '{}' ELSE '[]' END
         WHERE reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&reveals),
        now.0,
    )?)
}

/// Marks rows of people who were erased, by any identifier that stands on them.
pub(crate) async fn mark_erased(conn: &mut Conn, new_rows: &mut [NewRow]) -> Result<()> {
    let Some(key) = ErasureKey::read(conn).await? else { return Ok(()) };
    let identifiers = new_rows.iter().flat_map(|row| &row.identifiers).map(|one| &**one);
    let erased = erased_among(conn, &key, identifiers).await?;
    for row in new_rows {
        row.erased |= row.identifiers.iter().any(|one| erased.contains(&**one));
    }
    Ok(())
}

/// Those of these identifiers under which a person was erased.
pub(crate) async fn erased_among<'a>(
    conn: &mut Conn,
    key: &ErasureKey,
    identifiers: impl Iterator<Item = &'a str>,
) -> Result<HashSet<String>> {
    let by_hash: HashMap<String, &str> = identifiers.map(|one| (key.hash(one), one)).collect();
    let erased: Vec<(String,)> = rows!(
        conn,
        "SELECT x.hash FROM TEXTS($1) AS e JOIN erasures x ON x.hash = e.value",
        Texts::of(by_hash.keys().collect::<Vec<_>>())
    )?;
    let identifier = |(hash,): &(String,)| by_hash.get(hash).map(|one| (*one).to_owned());
    Ok(erased.iter().filter_map(identifier).collect())
}

/// The same, where a person was erased at all.
pub(crate) async fn those_erased(
    conn: &mut Conn,
    identifiers: &BTreeSet<String>,
) -> Result<HashSet<String>> {
    match ErasureKey::read(conn).await? {
        Some(key) => erased_among(conn, &key, identifiers.iter().map(String::as_str)).await,
        None => Ok(HashSet::new()),
    }
}

/// Remembers identifiers by their hashes.
pub(crate) async fn remember(
    conn: &mut Conn,
    key: &ErasureKey,
    identifiers: &BTreeSet<String>,
    now: Timestamp,
) -> Result<()> {
    let hashes: Vec<String> = identifiers.iter().map(|identifier| key.hash(identifier)).collect();
    exec!(
        conn,
        "INSERT INTO erasures (hash, erased_at) SELECT e.value, CAST($2 AS BIGINT) FROM TEXTS($1) AS e
         WHERE TRUE ON CONFLICT (hash) DO NOTHING",
        Texts::of(&hashes),
        now.0,
    )?;
    Ok(())
}
