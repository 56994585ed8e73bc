//! Whether the address of a call takes another body.

use std::collections::{BTreeSet, HashMap};

use db::{Conn, Texts, record};
use jobs::Timestamp;
use jobs::reception::{AddressUse, Reception};

use crate::error::Result;
use crate::results::Results;

record! {
    /// What came to the address of a call so far.
    struct UseRow {
        call_id: String,
        bodies: i64,
        bytes_kept: i64,
        settled_at: Option<i64>,
    }
}

impl Results<'_> {
    /// Whether the address of a call takes another body of `bytes` bytes, as far as it is known before the body is stored:
    /// [`Results::store_webhook`] decides.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn reception(self, call_id: &str, bytes: usize) -> Result<Reception> {
        let now = self.store.now();
        let uses = address_uses(&mut self.store.db.read().await?, &[call_id].into()).await?;
        Ok(uses.get(call_id).copied().unwrap_or_default().takes(bytes, now))
    }
}

/// What came to the addresses of calls so far.
pub(super) async fn address_uses(
    conn: &mut Conn,
    calls: &BTreeSet<&str>,
) -> Result<HashMap<String, AddressUse>> {
    let rows: Vec<UseRow> = conn
        .fetch_all(
            "SELECT e.value AS call_id,
                (SELECT COUNT(*) FROM webhook_inbox w WHERE w.call_id = e.value) AS bodies,
                (SELECT CAST(COALESCE(SUM(CASE WHEN w.body IS NULL THEN 0 ELSE w.bytes END), 0) AS BIGINT)
                 FROM webhook_inbox w WHERE w.call_id = e.value) AS bytes_kept,
                (SELECT MAX(r.revealed_at) FROM calls c
                 JOIN call_reveals m ON m.call_id = c.id JOIN reveals r ON r.id = m.reveal_id
                 WHERE c.call_id = e.value AND c.state = 'done') AS settled_at
             FROM TEXTS($1) AS e",
            &[&Texts::of(calls)],
        )
        .await?;
    let used = |row: UseRow| {
        let UseRow { call_id, bodies, bytes_kept, settled_at } = row;
        (call_id, AddressUse { bodies, bytes: bytes_kept, settled_at: settled_at.map(Timestamp) })
    };
    Ok(rows.into_iter().map(used).collect())
}
