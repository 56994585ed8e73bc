//! Applies stored webhooks once more, after an upgrade that can read bodies which were kept as unreadable.

use jobs::Policy;

use crate::audit::{Action, Entry};
use crate::error::Result;
use crate::results::Results;
use crate::results::inbox::stored::{StoredRow, StoredWebhook};
use crate::results::settle::delivery::{Applied, Delivery};
use crate::results::settle::settle;
use crate::reveals::counters::Totals;

impl Results<'_> {
    /// Returns stored webhooks whose outcome is `outcome`, those after the id `after` and, if `call` is given, of that call
    /// only: at most `most`, the oldest first. Webhooks that wait to be applied, or were erased, are left out.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn stored_webhooks(
        self,
        outcome: &str,
        call: Option<&str>,
        after: i64,
        most: usize,
    ) -> Result<Vec<StoredWebhook>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<StoredRow> = conn
            .fetch_all(
                "SELECT /* scan */ id, received_at, provider, call_id, body FROM webhook_inbox
                 WHERE id > $1 AND outcome = $2 AND body IS NOT NULL AND ($3 = '' OR call_id = $3)
                 ORDER BY id LIMIT $4",
                &[&after, &outcome, &call.unwrap_or_default(), &(most as i64)],
            )
            .await?;
        found.into_iter().map(StoredWebhook::from_row).collect()
    }

    /// Notes in the audit log that stored webhooks of this outcome, or those of one call among them, are applied once more.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_replay(self, outcome: &str, call: Option<&str>) -> Result<()> {
        let call = call.map(|call| format!(" call={call}")).unwrap_or_default();
        self.store
            .audit()
            .note(Entry::of(Action::Replay).details(format!("outcome={outcome}{call}")))
            .await
    }

    /// Applies a stored webhook once more. A webhook that was applied before and brings nothing new stays unchanged.
    /// Returns `None` if it is gone, or waits to be applied anyway.
    ///
    /// # Errors
    /// The database can't be used; nothing was applied then.
    pub async fn replay(self, delivery: Delivery, policy: &Policy) -> Result<Option<Applied>> {
        let (now, policy) = (self.store.now(), policy.clone());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let Some(id) = delivery.inbox else { return Ok(None) };
                    let mut totals = Totals::default();
                    let deliveries = vec![delivery];
                    let before: Option<(String, Option<i64>)> = conn
                        .fetch_optional(
                            "SELECT outcome, applied_at FROM webhook_inbox
                             WHERE id = $1 AND outcome IS NOT NULL AND body IS NOT NULL",
                            &[&id],
                        )
                        .await?;
                    let Some((before, applied_at)) = before else { return Ok(None) };
                    conn.execute("UPDATE webhook_inbox SET outcome = NULL WHERE id = $1", &[&id])
                        .await?;
                    let came = settle(conn, &mut totals, deliveries, &policy, now).await?;
                    if came == [Applied::Duplicate] && before != Applied::Malformed.as_str() {
                        conn.execute(
                            "UPDATE webhook_inbox SET outcome = $2, applied_at = $3 WHERE id = $1",
                            &[&id, &before, &applied_at],
                        )
                        .await?;
                    }
                    totals.flush(conn, now).await?;
                    Ok(came.into_iter().next())
                })
            })
            .await
    }
}
