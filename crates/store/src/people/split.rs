//! Separating identifiers that were joined by mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use db::bulk::{shared, write_rows};
use db::{Conn, Texts, record};
use jobs::Timestamp;

use crate::actor::Actor;
use crate::audit::{Action, Entry};
use crate::error::Result;
use crate::people::People;
use crate::people::links::evidence::persons_of;
use crate::people::links::{others_of, remove};
use crate::people::resolve::RevealIds;

/// The most affected rows that are named.
const MOST_ROWS: i64 = 100;

/// The result of a split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Each named identifier that was joined, and the identifiers that are other people's from now on; all encoded.
    pub separated: BTreeMap<String, BTreeSet<String>>,
    /// The first rows that show or list a reveal of the former person, as the batch's public id and the row number. These rows
    /// keep the reveal.
    pub rows: Vec<(String, i64)>,
    /// The number of all such rows.
    pub rows_in_all: i64,
}

impl People<'_> {
    /// Separates each of these encoded identifiers from all identifiers that the evidence joined with it. They are different
    /// people for every later submit, retry and erasure, whatever files say. Results stay with the identifier by which the
    /// provider was asked, and rows that share a result keep it.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn split(self, identifiers: BTreeSet<String>) -> Result<Split> {
        let (now, actor) = (self.store.now(), self.store.actor());
        self.store
            .db
            .write(move |conn| Box::pin(async move { split(conn, &identifiers, actor, now).await }))
            .await
    }
}

async fn split(
    conn: &mut Conn,
    identifiers: &BTreeSet<String>,
    actor: Option<Arc<Actor>>,
    now: Timestamp,
) -> Result<Split> {
    // Submits look people up under this lock.
    RevealIds::lock(conn).await?;
    let identifiers: Vec<Arc<str>> = identifiers.iter().map(|one| one.as_str().into()).collect();
    let persons = persons_of(conn, identifiers.iter().cloned()).await?;
    let mut splits: BTreeSet<(Arc<str>, Arc<str>)> = BTreeSet::new();
    for one in &identifiers {
        // Identifiers linked to this one, even if a contradiction kept the link from joining them.
        let mut others: BTreeSet<Arc<str>> = others_of(conn, one).await?;
        others.extend(persons.with(one).iter().filter(|other| *other != one).cloned());
        splits.extend(others.into_iter().map(|other| (Arc::clone(one), other)));
    }
    if splits.is_empty() {
        return Ok(Split::default());
    }
    remove(conn, splits.iter().map(|(one, other)| (one, other))).await?;
    save(conn, &splits).await?;
    let whole: BTreeSet<&Arc<str>> = splits.iter().flat_map(|(one, other)| [one, other]).collect();
    let (rows, rows_in_all) = rows_of(conn, &whole).await?;
    let mut separated: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (one, other) in &splits {
        separated.entry(one.to_string()).or_default().insert(other.to_string());
    }
    let entry = Entry::of(Action::Split).details(format!("identifiers={}", splits.len()));
    entry.write(conn, actor, now).await?;
    Ok(Split { separated, rows, rows_in_all })
}

async fn save(conn: &mut Conn, splits: &BTreeSet<(Arc<str>, Arc<str>)>) -> Result<()> {
    let both = || splits.iter().flat_map(|(one, other)| [(one, other), (other, one)]);
    let columns = vec![
        ("identifier", shared(both().map(|(one, _)| Arc::clone(one)))),
        ("other", shared(both().map(|(_, other)| Arc::clone(other)))),
    ];
    write_rows(
        conn,
        "INSERT INTO identity_splits (identifier, other)
         SELECT e.identifier, e.other FROM ROWS WHERE TRUE ON CONFLICT (identifier, other) DO NOTHING",
        columns,
    )
    .await?;
    Ok(())
}

record! {
    /// A row, by its batch's public id and its number, and the number of all such rows.
    struct AffectedRow {
        batch_id: String,
        row_number: i64,
        in_all: i64,
    }
}

/// Returns the first rows of published batches that show or list a reveal by any of these identifiers, and the number of all
/// such rows.
async fn rows_of(
    conn: &mut Conn,
    identifiers: &BTreeSet<&Arc<str>>,
) -> Result<(Vec<(String, i64)>, i64)> {
    let found: Vec<AffectedRow> = conn.fetch_all(
        "WITH of_them AS (
            SELECT r.id FROM TEXTS($1) AS e CROSS JOIN provider_gates g
            CROSS JOIN reveals r WHERE r.provider = g.provider AND r.subject = e.value),
         named AS (
            SELECT w.batch_id, w.row_number FROM of_them o JOIN batch_rows w ON w.reveal_id = o.id
            UNION
            SELECT f.batch_id, f.row_number FROM of_them o JOIN row_waterfall f ON f.reveal_id = o.id)
         SELECT b.batch_id, n.row_number, COUNT(*) OVER () AS in_all FROM named n
         JOIN batches b ON b.id = n.batch_id AND b.published_at IS NOT NULL
         ORDER BY b.id, n.row_number LIMIT $2",
        &[&Texts::of(identifiers), &MOST_ROWS],
    )
    .await?;
    let in_all = found.first().map_or(0, |row| row.in_all);
    Ok((found.into_iter().map(|row| (row.batch_id, row.row_number)).collect(), in_all))
}
