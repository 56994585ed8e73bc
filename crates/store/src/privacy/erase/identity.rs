use std::collections::BTreeSet;
use std::sync::Arc;

use db::Conn;

use crate::error::Result;
use crate::people::links::evidence::persons_of;

/// Returns every identifier of the persons who have these identifiers.
pub(super) async fn person(conn: &mut Conn, known: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let known: Vec<Arc<str>> = known.iter().map(|identifier| identifier.as_str().into()).collect();
    let persons = persons_of(conn, known.iter().cloned()).await?;
    let all = known.iter().flat_map(|identifier| persons.with(identifier));
    Ok(all.map(|identifier| identifier.to_string()).collect())
}

/// Returns the subjects of all people with a number, however their provider wrote it.
pub(super) async fn holders(
    conn: &mut Conn,
    e164: Option<&str>,
    raw: &str,
) -> Result<BTreeSet<String>> {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    let found: Vec<(String,)> = conn
        .fetch_all(
            "SELECT /* scan */ r.subject FROM phones p JOIN reveals r ON r.id = p.reveal_id
             WHERE p.e164 = $1 OR p.raw = $2 OR (p.e164 IS NULL AND
                REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(p.raw,
                    ' ', ''), '-', ''), '(', ''), ')', ''), '.', ''), '+', '') = $3)",
            &[&e164.map(str::to_owned), &raw, &digits],
        )
        .await?;
    Ok(found.into_iter().map(|(subject,)| subject).collect())
}
