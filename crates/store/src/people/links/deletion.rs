//! Deletes evidence: about people for whom no reveal is left, and about people who are erased.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::IdentifierKind;

use crate::error::Result;
use crate::people::links::still_known::with_reveals;
use crate::people::links::{NewLink, any, remove, save};

record! {
    /// A pair of identifiers that were said to be one person's, and the batch that said so, if it was one.
    struct LinkRow {
        identifier: String,
        other: String,
        batch_id: Option<i64>,
    }
}

/// Deletes the evidence about people who have no reveal left at any provider, and the evidence that rows of the batch
/// `unsaid` brought, which was taken back.
pub(crate) async fn forget(
    conn: &mut Conn,
    subjects: impl IntoIterator<Item = String>,
    unsaid: Option<i64>,
) -> Result<()> {
    let subjects: BTreeSet<Arc<str>> = subjects.into_iter().map(Into::into).collect();
    if subjects.is_empty() || !any(conn).await?.0 {
        return Ok(());
    }
    let found: Vec<LinkRow> = conn
        .fetch_all(
            "SELECT e.value AS identifier, l.other, l.batch_id FROM TEXTS($1) AS e
             JOIN identity_links l ON l.identifier = e.value",
            &[&Texts::shared(subjects.iter().cloned())],
        )
        .await?;
    let all = found.iter().flat_map(|row| [row.identifier.as_str(), row.other.as_str()]);
    let known = with_reveals(conn, all.collect()).await?;
    let gone: Vec<(Arc<str>, Arc<str>)> = found
        .into_iter()
        .filter(|row| {
            (unsaid.is_some() && row.batch_id == unsaid)
                || !(known.contains(&row.identifier) || known.contains(&row.other))
        })
        .map(|row| (row.identifier.into(), row.other.into()))
        .collect();
    remove(conn, gone.iter().map(|(one, other)| (one, other))).await
}

/// Deletes all evidence about identifiers of one person. An id that contradicted another person's evidence continues to do
/// so under the name that `hidden` gives it. Otherwise an address that led to two people would now lead to the other one.
pub(crate) async fn erase(
    conn: &mut Conn,
    person: &BTreeSet<String>,
    hidden: impl Fn(&str) -> String,
) -> Result<()> {
    let found: Vec<(String, String)> = conn.fetch_all(
        "SELECT e.value, l.other FROM TEXTS($1) AS e JOIN identity_links l ON l.identifier = e.value",
        &[&Texts::of(person)],
    )
    .await?;
    let mut names: HashMap<String, Arc<str>> = HashMap::new();
    let mut kept = Vec::new();
    for (one, other) in found.iter().filter(|(_, other)| !person.contains(other)) {
        let kind = IdentifierKind::of_encoded(one);
        let Some(kind) = kind.filter(|kind| *kind != IdentifierKind::LinkedinUrl) else { continue };
        let hide = || format!("{}{}", kind.prefix(), hidden(one)).into();
        let one = Arc::clone(names.entry(one.clone()).or_insert_with(hide));
        kept.push(NewLink { one, other: other.as_str().into(), row: None });
    }
    for (sql, texts) in [
        (
            "DELETE FROM identity_links WHERE identifier IN (SELECT e.value FROM TEXTS($1) AS e)",
            person,
        ),
        (
            "DELETE FROM identity_splits WHERE identifier IN (SELECT e.value FROM TEXTS($1) AS e)",
            person,
        ),
    ] {
        conn.execute(sql, &[&Texts::of(texts)]).await?;
    }
    let found: Vec<(Arc<str>, Arc<str>)> =
        found.into_iter().map(|(one, other)| (one.into(), other.into())).collect();
    remove(conn, found.iter().map(|(one, other)| (one, other))).await?;
    conn.execute(
        "DELETE FROM identity_splits WHERE other IN (SELECT e.value FROM TEXTS($1) AS e)",
        &[&Texts::of(person)],
    )
    .await?;
    save(conn, &kept, None).await
}
