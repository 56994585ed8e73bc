//! Automatic deletion of finished data that is older than the settings allow. It works like a purge by hand, but in smaller
//! steps with rests between them, and with a separate age for each kind of data.

use std::time::Duration;

use db::{Conn, Ints, Traces};
use jobs::Retention;

use crate::error::Result;
use crate::privacy::Privacy;
use crate::privacy::purge::{Forgotten, Purged, Steps};

/// Rows that one transaction deletes. Few, since other processes wait for it.
const AT_ONCE: i64 = 200;

impl Privacy<'_> {
    /// Deletes data older than `retention` allows, unless any worker did so within `interval`. Data that waits for a result, or
    /// for which one may still come, is not touched.
    ///
    /// # Errors
    /// The database can't be used. Data deleted until then stays deleted; the next run deletes the rest.
    pub async fn retire(
        self,
        retention: &Retention,
        interval: Duration,
        rest: Duration,
    ) -> Result<Purged> {
        let mut gone = Purged::default();
        if !self.takes_turn(interval).await? {
            return Ok(gone);
        }
        let (now, steps) = (self.store.now(), Steps { at_once: AT_ONCE, rest });
        let mut traces = Traces::default();
        if let Some(age) = retention.people {
            gone.batches = self.purge_batches(now - age, steps).await?;
            gone.reveals = self.purge_reveals(now - age, steps, &mut traces).await?;
        }
        // A body names people, so it is kept no longer than they are.
        if let Some(age) = [retention.bodies, retention.people].into_iter().flatten().min() {
            gone.webhooks = self.drop_old_bodies(age, steps).await?;
        }
        if let Some(age) = retention.calls {
            gone.calls = self.purge_calls(now - age, steps).await?;
            self.purge_free_requests(now - age, steps).await?;
            self.drop_old_webhooks(age, steps).await?;
        }
        // A SQLite file is rewritten only by hand, since no other process can write meanwhile.
        if self.store.is_postgres() && gone.reveals > 0 {
            self.scrub(traces).await?;
        }
        Ok(gone)
    }

    /// Returns whether this worker runs the deletion: one of all workers does, once in each `interval`.
    async fn takes_turn(self, interval: Duration) -> Result<bool> {
        let now = self.store.now();
        let taken = self.store.db.write(move |conn| {
            Box::pin(async move {
                Ok(conn
                    .execute(
                        "INSERT INTO settings (name, value) VALUES ('retired_at', $1)
                         ON CONFLICT (name) DO UPDATE SET value = excluded.value
                         WHERE CAST(settings.value AS BIGINT) <= CAST($2 AS BIGINT)
                            OR CAST(settings.value AS BIGINT) > CAST(excluded.value AS BIGINT)",
                        &[&now.0.to_string(), &(now - interval).0],
                    )
                    .await?)
            })
        });
        Ok(taken.await? == 1)
    }

    /// Deletes bodies that were applied or can't be applied, if their requests no longer wait for a result. The log still says
    /// that they came.
    async fn drop_old_bodies(self, age: Duration, steps: Steps) -> Result<i64> {
        self.forget_old(
            "SELECT i.id FROM webhook_inbox i
             WHERE i.id > $1 AND i.outcome IS NOT NULL AND i.body IS NOT NULL
               AND (i.received_at < $2 OR (i.outcome <> 'unknown_call'
                    AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.call_id = i.call_id)))
               AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.call_id = i.call_id
                               AND (c.deadline_at IS NOT NULL OR c.state IN ('sending', 'accepted', 'unknown')))
             ORDER BY i.id LIMIT $3",
            |conn, ids, _| Box::pin(drop_bodies(conn, ids)),
            self.store.now() - age,
            steps,
            &mut Traces::default(),
        )
        .await
    }

    /// Deletes log entries of webhooks whose bodies are no longer kept.
    async fn drop_old_webhooks(self, age: Duration, steps: Steps) -> Result<i64> {
        self.forget_old(
            "SELECT i.id FROM webhook_inbox i
             WHERE i.id > $1 AND i.received_at < $2 AND i.outcome IS NOT NULL AND i.body IS NULL
               AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.call_id = i.call_id)
             ORDER BY i.id LIMIT $3",
            |conn, ids, _| Box::pin(drop_webhooks(conn, ids)),
            self.store.now() - age,
            steps,
            &mut Traces::default(),
        )
        .await
    }
}

async fn drop_bodies(conn: &mut Conn, ids: Vec<i64>) -> Result<Forgotten> {
    let gone = conn
        .execute(
            "UPDATE webhook_inbox SET body = NULL
             WHERE id IN (SELECT e.value FROM IDS($1) AS e) AND outcome IS NOT NULL",
            &[&Ints::of(&ids)],
        )
        .await?;
    Ok(Forgotten { gone: i64::try_from(gone).unwrap_or(i64::MAX), texts: Vec::new() })
}

async fn drop_webhooks(conn: &mut Conn, ids: Vec<i64>) -> Result<Forgotten> {
    let gone = conn
        .execute(
            "DELETE FROM webhook_inbox WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(&ids)],
        )
        .await?;
    Ok(Forgotten { gone: i64::try_from(gone).unwrap_or(i64::MAX), texts: Vec::new() })
}
