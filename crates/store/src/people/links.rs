//! The evidence of identity in the ledger: pairs of identifiers that were said to be one person's, each pair in both
//! directions. `jobs::identity` derives persons from it.

pub(crate) mod deletion;
pub(crate) mod evidence;
pub(crate) mod new_links;
pub(crate) mod still_known;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use db::bulk::{Columns, fetch_for_rows, ints, shared, write_rows};
use db::{Conn, Texts, record};
use jobs::IdentifierKind;
use jobs::identity::{FARTHEST, Links, is_address};

use crate::error::Result;

/// A pair of identifiers that were said to be one person's, and the row that said so, if it was a row.
#[derive(Debug, Clone)]
pub(crate) struct NewLink {
    pub(crate) one: Arc<str>,
    pub(crate) other: Arc<str>,
    pub(crate) row: Option<i64>,
}

/// Reads all evidence that bears on the persons behind these identifiers.
pub(crate) async fn read(
    conn: &mut Conn,
    identifiers: impl IntoIterator<Item = Arc<str>>,
) -> Result<Links> {
    let mut links = Links::default();
    // If every row has only one kind of identifier, no person has two, and there is no evidence.
    let (linked, split) = any(conn).await?;
    if !linked && !split {
        return Ok(links);
    }
    let mut next: BTreeSet<Arc<str>> = identifiers.into_iter().collect();
    let mut reached: HashSet<Arc<str>> = next.iter().cloned().collect();
    for _ in 0..FARTHEST {
        let around: Vec<Arc<str>> = std::mem::take(&mut next).into_iter().collect();
        if split {
            for (one, other) in splits(conn, &around).await? {
                links.split(&one.into(), &other.into());
            }
        }
        for (one, other) in linked_to(conn, &around).await? {
            links.join(&one, &other);
            if reached.insert(Arc::clone(&other)) {
                next.insert(other);
            }
        }
        if next.is_empty() {
            break;
        }
    }
    Ok(links)
}

/// Returns whether there is any evidence, and whether any identifiers were separated.
async fn any(conn: &mut Conn) -> Result<(bool, bool)> {
    // The order makes Postgres use the index. Without it, Postgres scans the whole table to find no row.
    let link: Option<(i64,)> = conn.fetch_optional(
        "SELECT CAST(1 AS BIGINT) FROM identity_links WHERE identifier >= '' ORDER BY identifier LIMIT 1",
        &[],
    )
    .await?;
    let split: Option<(i64,)> = conn.fetch_optional(
        "SELECT CAST(1 AS BIGINT) FROM identity_splits WHERE identifier >= '' ORDER BY identifier LIMIT 1",
        &[],
    )
    .await?;
    Ok((link.is_some(), split.is_some()))
}

record! {
    /// An identifier, and the first and the last of the ids of one kind that are linked to it.
    struct LinkedRow {
        identifier: String,
        first: Option<String>,
        last: Option<String>,
    }
}

/// Returns the identifiers that are linked to these. Of many ids of one kind, the first and the last show that there are
/// several. The rest are not read, so a cell that was filled down a whole file costs no more than any other.
async fn linked_to(conn: &mut Conn, identifiers: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>> {
    let known: Vec<(String,)> = conn
        .fetch_all(
            "SELECT e.value FROM TEXTS($1) AS e
             WHERE EXISTS (SELECT 1 FROM identity_links l WHERE l.identifier = e.value)",
            &[&Texts::shared(identifiers.iter().cloned())],
        )
        .await?;
    let known: Vec<Arc<str>> = known.into_iter().map(|(identifier,)| identifier.into()).collect();
    let mut found = Vec::new();
    if known.is_empty() {
        return Ok(found);
    }
    for kind in IdentifierKind::ALL {
        let (from, to) = range(kind);
        if kind == IdentifierKind::LinkedinUrl {
            let ids = known.iter().filter(|identifier| !is_address(identifier)).cloned();
            let addresses: Vec<(String, String)> = conn.fetch_all(
                "SELECT e.value, l.other FROM TEXTS($1) AS e
                 JOIN identity_links l ON l.identifier = e.value AND l.other >= $2 AND l.other < $3",
                &[&Texts::shared(ids), &from, &to],
            )
            .await?;
            found.extend(addresses.into_iter().map(|(one, other)| (one.into(), other.into())));
            continue;
        }
        let ids: Vec<LinkedRow> = conn
            .fetch_all(
                "SELECT e.value AS identifier,
                        (SELECT MIN(l.other) FROM identity_links l
                         WHERE l.identifier = e.value AND l.other >= $2 AND l.other < $3) AS first,
                        (SELECT MAX(l.other) FROM identity_links l
                         WHERE l.identifier = e.value AND l.other >= $2 AND l.other < $3) AS last
                 FROM TEXTS($1) AS e",
                &[&Texts::shared(known.iter().cloned()), &from, &to],
            )
            .await?;
        for row in ids {
            let one: Arc<str> = row.identifier.into();
            let both = row.first.into_iter().chain(row.last);
            found.extend(both.map(|other| (Arc::clone(&one), other.into())));
        }
    }
    Ok(found)
}

async fn splits(conn: &mut Conn, identifiers: &[Arc<str>]) -> Result<Vec<(String, String)>> {
    Ok(conn.fetch_all(
        "SELECT e.value, s.other FROM TEXTS($1) AS e JOIN identity_splits s ON s.identifier = e.value",
        &[&Texts::shared(identifiers.iter().cloned())],
    )
    .await?)
}

/// Returns all identifiers that were ever said to be the same person's as this identifier.
pub(crate) async fn others_of(
    conn: &mut Conn,
    identifier: &Arc<str>,
) -> Result<BTreeSet<Arc<str>>> {
    let others: Vec<(String,)> = conn
        .fetch_all("SELECT other FROM identity_links WHERE identifier = $1", &[&&**identifier])
        .await?;
    Ok(others.into_iter().map(|(other,)| other.into()).collect())
}

/// Returns the bounds between which all encoded identifiers of a kind sort.
fn range(kind: IdentifierKind) -> (String, String) {
    let from = kind.prefix().to_owned();
    let mut to = from.clone();
    if let Some(last) = to.pop() {
        to.push(char::from_u32(u32::from(last) + 1).unwrap_or(last));
    }
    (from, to)
}

/// Stores evidence from rows of `batch` or from an answer. If another batch that is still loading stated it before, it now
/// belongs to neither, so that it stays if one of the two is taken back.
pub(crate) async fn save(conn: &mut Conn, new: &[NewLink], batch: Option<i64>) -> Result<()> {
    let ends = |link: &NewLink| (Arc::clone(&link.one), Arc::clone(&link.other));
    let turned = |(one, other)| (other, one);
    let both = || new.iter().flat_map(|link| [ends(link), turned(ends(link))]);
    let batches = new.iter().flat_map(|link| [link.row.and(batch); 2]);
    let columns = vec![
        ("identifier", shared(both().map(|(one, _)| one))),
        ("other", shared(both().map(|(_, other)| other))),
        ("batch", ints(batches)),
        ("number", ints(new.iter().flat_map(|link| [link.row; 2]))),
    ];
    write_rows(
        conn,
        "INSERT INTO identity_links (identifier, other, batch_id, row_number)
         SELECT e.identifier, e.other, e.batch, e.number FROM ROWS WHERE TRUE
         ON CONFLICT (identifier, other) DO UPDATE SET batch_id = NULL, row_number = NULL
         WHERE (excluded.batch_id IS NULL OR excluded.batch_id <> identity_links.batch_id)
           AND identity_links.batch_id IN (SELECT b.id FROM batches b WHERE b.published_at IS NULL)",
        columns,
    )
    .await?;
    Ok(())
}

fn pairs<'a>(links: impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)>) -> Columns {
    let (one, other): (Vec<_>, Vec<_>) = links.unzip();
    vec![("one", shared(one.into_iter().cloned())), ("other", shared(other.into_iter().cloned()))]
}

/// Removes evidence, each pair in both directions.
pub(crate) async fn remove<'a>(
    conn: &mut Conn,
    links: impl IntoIterator<Item = (&'a Arc<str>, &'a Arc<str>)>,
) -> Result<()> {
    let both = links.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]);
    write_rows(
        conn,
        "DELETE FROM identity_links WHERE (identifier, other) IN (SELECT e.one, e.other FROM ROWS)",
        pairs(both),
    )
    .await?;
    Ok(())
}

/// Returns the batch and the row that said that each pair is one person's; neither if an answer said so.
async fn sources(
    conn: &mut Conn,
    links: &BTreeSet<(Arc<str>, Arc<str>)>,
) -> Result<Vec<(Option<i64>, Option<i64>)>> {
    Ok(fetch_for_rows(
        conn,
        "SELECT l.batch_id, l.row_number FROM identity_links l
         WHERE (l.identifier, l.other) IN (SELECT e.one, e.other FROM ROWS)",
        pairs(links.iter().map(|(one, other)| (one, other))),
    )
    .await?)
}
