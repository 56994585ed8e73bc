//! The reveals of a chunk's people, read under a lock.

use db::{Conn, Texts, record};
use jobs::Provider;

use crate::error::Result;

record! {
    /// A reveal, as far as it matters for sharing.
    pub(super) struct RevealRow {
        pub(super) id: i64,
        pub(super) subject: String,
        pub(super) generation: i64,
        pub(super) state: String,
        pub(super) revealed_at: Option<i64>,
        pub(super) owner: Option<i64>,
    }
}

/// Returns all generations of the reveals at a provider that ask by these identifiers, in the order of their ids. They are
/// locked, so that their states hold until the rows that show them are counted.
pub(super) async fn lock_reveals(
    conn: &mut Conn,
    provider: Provider,
    subjects: Texts,
) -> Result<Vec<RevealRow>> {
    Ok(conn.fetch_all(
        "SELECT r.id, r.subject, r.generation, r.state, r.revealed_at, r.owner FROM TEXTS($1) AS e
         JOIN reveals r ON r.provider = $2 AND r.subject = e.value
         ORDER BY r.id FOR UPDATE",
        &[&subjects, &provider.as_str()],
    )
    .await?)
}
