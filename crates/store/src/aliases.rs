//! Other identifiers of the person behind a subject: followed from one to the next, and forgotten with
//! the person.

use std::collections::HashSet;

use jobs::Provider;
use serde::Serialize;

use crate::Result;
use crate::conn::{Conn, exec, row, rows};
use crate::texts::Texts;
use crate::totals::json;

/// The aliases among `identifiers`, each with a subject behind it, and those among these subjects: who was
/// taken for one person may have turned out to be a third.
pub(crate) async fn aliases_of(
    conn: &mut Conn,
    provider: Provider,
    identifiers: &Texts,
) -> Result<Vec<(String, String)>> {
    let mut aliases: Vec<(String, String)> = Vec::new();
    // Nobody has one where all are asked by the same kind of identifier.
    if !any_at(conn, provider).await? {
        return Ok(aliases);
    }
    let mut asked: HashSet<String> = HashSet::new();
    let mut next = identifiers.clone();
    loop {
        let found: Vec<(String, String)> = rows!(
            conn,
            "SELECT a.identifier, a.subject FROM TEXTS($1) AS e
             JOIN aliases a ON a.provider = $2 AND a.identifier = e.value",
            next,
            provider.as_str(),
        )?;
        let new: Vec<String> = found
            .iter()
            .map(|(_, subject)| subject)
            .filter(|subject| asked.insert((*subject).clone()))
            .cloned()
            .collect();
        aliases.extend(found);
        if new.is_empty() {
            return Ok(aliases);
        }
        next = Texts::of(&new);
    }
}

async fn any_at(conn: &mut Conn, provider: Provider) -> Result<bool> {
    // By the index: without an order, Postgres looks through the whole table for none.
    let first: Option<(i64,)> = row!(
        conn,
        "SELECT CAST(1 AS BIGINT) FROM aliases WHERE provider = $1 ORDER BY identifier LIMIT 1",
        provider.as_str(),
    )?;
    Ok(first.is_some())
}

/// Removes the aliases of people (provider and subject) of whom no reveal is left.
pub(crate) async fn forget_aliases_of(
    conn: &mut Conn,
    people: impl IntoIterator<Item = (String, String)>,
) -> Result<()> {
    #[derive(Serialize)]
    struct Gone {
        provider: String,
        subject: String,
    }
    let gone: Vec<Gone> =
        people.into_iter().map(|(provider, subject)| Gone { provider, subject }).collect();
    exec!(
        conn,
        "DELETE FROM aliases WHERE (provider, identifier) IN (
            SELECT a.provider, a.identifier FROM EACH($1) AS e
            JOIN aliases a ON a.provider = e.value->>'provider' AND a.subject = e.value->>'subject'
            WHERE NOT EXISTS (SELECT 1 FROM reveals r
                              WHERE r.provider = a.provider AND r.subject = a.subject))",
        json(&gone),
    )?;
    Ok(())
}
