//! Webhooks as they came: stored before they are acknowledged, applied afterwards.

pub(crate) mod new_webhook;
mod once;
mod reception;
mod replay;
mod store;
pub(crate) mod stored;

use std::time::Duration;

use db::{Ints, record};
use jobs::Timestamp;
use jobs::backoff::exponential;

use crate::error::Result;
use crate::low_mark::{LowMarks, Queue};
use crate::results::Results;
use crate::results::inbox::stored::{StoredRow, StoredWebhook};

/// How long a webhook that could not be applied waits for the next try; twice as long each time.
const RETRY_BASE: Duration = Duration::from_secs(1);

const RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// The webhooks that wait to be applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many webhooks wait.
    pub waiting: i64,
    /// When the oldest of them was received.
    pub oldest: Option<Timestamp>,
    /// How many of them could not be applied when that was tried.
    pub failing: i64,
    /// When the first of the failing webhooks is tried again.
    pub retry_at: Option<Timestamp>,
}

/// When the next webhook can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextWebhook {
    /// Now.
    Waits,
    /// Not before this time: the webhook could not be applied the last time.
    PutOff(Timestamp),
    /// No webhook waits.
    None,
}

/// A webhook that could not be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOff {
    /// How often it could not be applied so far.
    pub failures: i64,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

record! {
    /// The webhooks that wait to be applied, counted.
    #[derive(Default)]
    struct BacklogRow {
        waiting: i64,
        oldest: Option<i64>,
        failing: i64,
        retry_at: Option<i64>,
    }
}

impl Results<'_> {
    /// Returns the oldest webhooks that wait to be applied and were not put off: at most `most`, and about `most_bytes`.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn pending_webhooks(
        self,
        most: usize,
        most_bytes: i64,
    ) -> Result<Vec<StoredWebhook>> {
        let now = self.store.now();
        let mut conn = self.store.db.read().await?;
        let marks = LowMarks::of(conn.attached());
        let start = marks.start(Queue::Inbox, now);
        let sizes: Vec<(i64, i64)> = conn
            .fetch_all(
                // Each part has an index of its own, which the other can't use.
                "SELECT id, bytes FROM (
                    SELECT id, bytes FROM webhook_inbox WHERE outcome IS NULL AND retry_at IS NULL AND id >= $2
                    ORDER BY id LIMIT $1) AS new
                 UNION ALL SELECT id, bytes FROM (
                    SELECT id, bytes FROM webhook_inbox WHERE outcome IS NULL AND retry_at <= $3
                    ORDER BY retry_at LIMIT $1) AS put_off
                 ORDER BY id LIMIT $1",
                &[&(most as i64), &start, &now.0],
            )
            .await?;
        let mut bytes = 0;
        let fitting = sizes.iter().take_while(|(_, size)| {
            let fits = bytes == 0 || bytes + size <= most_bytes;
            bytes += size;
            fits
        });
        let ids: Vec<i64> = fitting.map(|(id, _)| *id).collect();
        marks.looked(Queue::Inbox, start, ids.first().copied(), now);
        let Some(first) = ids.first() else { return Ok(Vec::new()) };
        let found: Vec<StoredRow> = conn
            .fetch_all(
                // A merge of both would read the index from its start, past all that an old transaction keeps.
                "SELECT i.id, i.received_at, i.provider, i.call_id, i.body FROM IDS($1) AS e
                 JOIN webhook_inbox i ON i.id = e.value WHERE i.outcome IS NULL AND i.id >= $2 ORDER BY i.id",
                &[&Ints::of(&ids), first],
            )
            .await?;
        found.into_iter().map(StoredWebhook::from_row).collect()
    }

    /// Marks a stored webhook that turned out not to be readable.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn mark_malformed(self, id: i64) -> Result<()> {
        let now = self.store.now();
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    conn.execute(
                        "UPDATE webhook_inbox SET outcome = 'malformed', applied_at = $2
                         WHERE id = $1 AND outcome IS NULL",
                        &[&id, &now.0],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Puts off a stored webhook that could not be applied, longer each time: it is kept until it can be applied. Returns
    /// `None` if another worker has applied it meanwhile.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn put_off_webhook(self, id: i64) -> Result<Option<PutOff>> {
        let now = self.store.now();
        self.store.db.write(move |conn| {
            Box::pin(async move {
                let before: Option<(i64,)> = conn.fetch_optional(
                    "SELECT failures FROM webhook_inbox WHERE id = $1 AND outcome IS NULL FOR UPDATE",
                    &[&id],
                )
                .await?;
                let Some((before,)) = before else { return Ok(None) };
                // From the tenth failure on, the wait is the longest anyway.
                let step = u32::try_from(before.min(10)).unwrap_or_default();
                let retry_at = now + exponential(RETRY_BASE, RETRY_MAX, step);
                conn.execute(
                    "UPDATE webhook_inbox SET failures = $2, retry_at = $3 WHERE id = $1",
                    &[&id, &(before + 1), &retry_at.0],
                )
                .await?;
                Ok(Some(PutOff { failures: before + 1, retry_at }))
            })
        })
        .await
    }

    /// Whether a webhook waits to be applied, or when one is to be tried again.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn next_webhook(self) -> Result<NextWebhook> {
        let now = self.store.now();
        let mut conn = self.store.db.read().await?;
        let marks = LowMarks::of(conn.attached());
        let start = marks.start(Queue::Inbox, now);
        let first: Option<(i64,)> = conn
            .fetch_optional(
                "SELECT id FROM webhook_inbox WHERE outcome IS NULL AND retry_at IS NULL AND id >= $1
                 ORDER BY id LIMIT 1",
                &[&start],
            )
            .await?;
        marks.looked(Queue::Inbox, start, first.map(|(id,)| id), now);
        if first.is_some() {
            return Ok(NextWebhook::Waits);
        }
        let again: Option<i64> = conn
            .fetch_value(
                "SELECT MIN(retry_at) FROM webhook_inbox WHERE outcome IS NULL AND retry_at IS NOT NULL",
                &[],
            )
            .await?;
        Ok(match again.map(Timestamp) {
            Some(at) if at <= now => NextWebhook::Waits,
            Some(at) => NextWebhook::PutOff(at),
            None => NextWebhook::None,
        })
    }

    /// Returns how many webhooks wait, since when the oldest waits, and how many of them can't be applied.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn inbox_backlog(self) -> Result<Backlog> {
        let mut conn = self.store.db.read().await?;
        let found: Option<BacklogRow> = conn
            .fetch_optional(
                "SELECT COUNT(*) AS waiting, MIN(received_at) AS oldest,
                    COUNT(retry_at) AS failing, MIN(retry_at) AS retry_at
                 FROM (SELECT received_at, retry_at FROM webhook_inbox WHERE outcome IS NULL AND retry_at IS NULL
                       UNION ALL
                       SELECT received_at, retry_at FROM webhook_inbox WHERE outcome IS NULL AND retry_at IS NOT NULL
                      ) AS waiting",
                &[],
            )
            .await?;
        let BacklogRow { waiting, oldest, failing, retry_at } = found.unwrap_or_default();
        let (oldest, retry_at) = (oldest.map(Timestamp), retry_at.map(Timestamp));
        Ok(Backlog { waiting, oldest, failing, retry_at })
    }
}
