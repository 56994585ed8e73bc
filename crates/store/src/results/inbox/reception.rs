//! Whether the address of a call takes another body.

use db::record;
use jobs::Timestamp;
use jobs::reception::{AddressUse, Reception};

use crate::error::Result;
use crate::results::Results;

record! {
    /// What came to the address of a call so far.
    #[derive(Default)]
    struct UseRow {
        bodies: i64,
        bytes_kept: i64,
        settled_at: Option<i64>,
    }
}

impl Results<'_> {
    /// Whether the address of a call takes another body of `bytes` bytes. Several bodies that come at once may all be let
    /// in.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn reception(self, call_id: &str, bytes: usize) -> Result<Reception> {
        let now = self.store.now();
        let mut conn = self.store.db.read().await?;
        let used: Option<UseRow> = conn.fetch_optional(
            "SELECT (SELECT COUNT(*) FROM webhook_inbox WHERE call_id = $1) AS bodies,
                    (SELECT CAST(COALESCE(SUM(CASE WHEN body IS NULL THEN 0 ELSE bytes END), 0) AS BIGINT)
                     FROM webhook_inbox WHERE call_id = $1) AS bytes_kept,
                    (SELECT MAX(r.revealed_at) FROM calls c
                     JOIN call_reveals m ON m.call_id = c.id JOIN reveals r ON r.id = m.reveal_id
                     WHERE c.call_id = $1 AND c.state = 'done') AS settled_at",
            &[&call_id],
        )
        .await?;
        let UseRow { bodies, bytes_kept, settled_at } = used.unwrap_or_default();
        let settled_at = settled_at.map(Timestamp);
        Ok(AddressUse { bodies, bytes: bytes_kept, settled_at }.takes(bytes, now))
    }
}
