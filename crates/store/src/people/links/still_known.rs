//! Which identifiers the ledger still holds.

use std::collections::{BTreeSet, HashSet};

use db::{Conn, Texts};
use jobs::Provider;

use crate::error::Result;

/// Returns those of the identifiers that the ledger still holds, as the subject of a reveal or as evidence.
pub(crate) async fn still_known(
    conn: &mut Conn,
    identifiers: BTreeSet<&str>,
) -> Result<HashSet<String>> {
    let evidence: Vec<(String,)> = conn
        .fetch_all(
            "SELECT e.value FROM TEXTS($1) AS e
             WHERE EXISTS (SELECT 1 FROM identity_links l WHERE l.identifier = e.value)
                OR EXISTS (SELECT 1 FROM identity_splits s WHERE s.identifier = e.value)",
            &[&Texts::of(&identifiers)],
        )
        .await?;
    let mut known = with_reveals(conn, identifiers).await?;
    known.extend(evidence.into_iter().map(|(identifier,)| identifier));
    Ok(known)
}

/// Returns those of the identifiers by which a provider was or is to be asked.
pub(super) async fn with_reveals(
    conn: &mut Conn,
    identifiers: BTreeSet<&str>,
) -> Result<HashSet<String>> {
    let mut known = HashSet::new();
    for provider in Provider::ALL {
        let found: Vec<(String,)> = conn
            .fetch_all(
                "SELECT e.value FROM TEXTS($1) AS e
                 WHERE EXISTS (SELECT 1 FROM reveals r WHERE r.provider = $2 AND r.subject = e.value)",
                &[&Texts::of(&identifiers), &provider.as_str()],
            )
            .await?;
        known.extend(found.into_iter().map(|(identifier,)| identifier));
    }
    Ok(known)
}
