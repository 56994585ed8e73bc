use std::collections::BTreeSet;

use jobs::Provider;

use crate::Result;
use crate::conn::{Conn, rows};
use crate::texts::Texts;

/// Every identifier that is known to be the same person's: through aliases both ways, at all
/// providers, and through rows that name the person to more than one provider.
pub(super) async fn closure(
    conn: &mut Conn,
    mut known: BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    loop {
        let before = known.len();
        for provider in Provider::ALL {
            let more = beside(conn, provider, &known).await?;
            known.extend(more);
        }
        if known.len() == before {
            return Ok(known);
        }
    }
}

async fn beside(
    conn: &mut Conn,
    provider: Provider,
    known: &BTreeSet<String>,
) -> Result<Vec<String>> {
    let known = Texts::of(known);
    let found: Vec<(String,)> = rows!(
        conn,
        "SELECT a.subject FROM TEXTS($1) AS e
         JOIN aliases a ON a.provider = $2 AND a.identifier = e.value
         UNION
         SELECT a.identifier FROM TEXTS($1) AS e
         JOIN aliases a ON a.provider = $2 AND a.subject = e.value
         UNION
         SELECT o.subject FROM TEXTS($1) AS e
         JOIN reveals r ON r.provider = $2 AND r.subject = e.value
         JOIN row_waterfall f ON f.reveal_id = r.id
         JOIN row_waterfall g ON g.batch_id = f.batch_id AND g.row_number = f.row_number
         JOIN reveals o ON o.id = g.reveal_id",
        known,
        provider.as_str(),
    )?;
    Ok(found.into_iter().map(|(identifier,)| identifier).collect())
}

/// The subjects of those who have a number, however their provider wrote it.
pub(super) async fn holders(
    conn: &mut Conn,
    e164: Option<&str>,
    raw: &str,
) -> Result<BTreeSet<String>> {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    let found: Vec<(String,)> = rows!(
        conn,
        "SELECT /* scan */ r.subject FROM phones p JOIN reveals r ON r.id = p.reveal_id
         WHERE p.e164 = $1 OR p.raw = $2 OR (p.e164 IS NULL AND
            REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(p.raw,
                ' ', ''), '-', ''), '(', ''), ')', ''), '.', ''), '+', '') = $3)",
        e164,
        raw,
        digits,
    )?;
    Ok(found.into_iter().map(|(subject,)| subject).collect())
}
