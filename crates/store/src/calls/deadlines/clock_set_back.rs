//! Times that are too far in the future, because the clock was ahead and has been set back since.

use std::time::Duration;

use jobs::{Policy, Provider};

use crate::calls::Calls;
use crate::calls::polls::POLL_LEASE;
use crate::error::Result;
use crate::topic::Topic;

/// The longest wait besides backoffs: a person whose earlier request is polled first waits a day.
const LONGEST_WAIT: Duration = Duration::from_secs(25 * 3600);

impl Calls<'_> {
    /// Makes due now the heartbeats (a dead worker would never be taken over), backoffs and polls that no setting could have
    /// put so far ahead.
    pub(crate) async fn bring_back_what_is_too_far_ahead(self, policy: &Policy) -> Result<()> {
        let now = self.store.now();
        let heartbeat = (now + policy.heartbeat_timeout).0;
        let backoff = (now + 2 * policy.retry_max + LONGEST_WAIT).0;
        let longest = policy.poll_interval_max.max(policy.webhook_grace).max(POLL_LEASE);
        let poll = (now + 2 * longest).0;
        for provider in Provider::ALL {
            // The order keeps the planner on the indexes. Without statistics it expects to find such a row soon in the table.
            let ahead: i64 = self.store.db.read().await?.fetch_value(
                "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM workers WHERE stopped_at IS NULL AND heartbeat_at > $2)
                          OR (SELECT retry_at FROM reveals WHERE provider = $1 AND retry_at > $3
                              ORDER BY retry_at LIMIT 1) IS NOT NULL
                          OR (SELECT poll_at FROM calls WHERE provider = $1 AND poll_at > $4
                              ORDER BY poll_at LIMIT 1) IS NOT NULL
                        THEN 1 ELSE 0 END AS BIGINT)",
                &[&provider.as_str(), &heartbeat, &backoff, &poll],
            )
            .await?;
            if ahead == 0 {
                continue;
            }
            tracing::warn!(%provider, "the clock was set back: what was put too far ahead is due now");
            self.store.db.write(move |conn| {
                Box::pin(async move {
                    conn.execute(
                        "UPDATE workers SET heartbeat_at = $1 WHERE stopped_at IS NULL AND heartbeat_at > $2",
                        &[&now.0, &heartbeat],
                    )
                    .await?;
                    conn.execute(
                        "UPDATE calls SET poll_at = $2 WHERE provider = $1 AND poll_at > $3",
                        &[&provider.as_str(), &now.0, &poll],
                    )
                    .await?;
                    conn.execute(
                        "UPDATE reveals SET due_at = $2 WHERE provider = $1 AND retry_at > $3",
                        &[&provider.as_str(), &now.0, &backoff],
                    )
                    .await?;
                    conn.announce(Topic::Queue);
                    conn.announce(Topic::Polls);
                    Ok(())
                })
            })
            .await?;
        }
        Ok(())
    }
}
