//! Webhooks as they came: stored before they are acknowledged, applied afterwards.

use jobs::{Provider, Timestamp};

use crate::conn::{Conn, exec, row, rows};
use crate::transition::parse_provider;
use crate::writer::BoxFuture;
use crate::{Result, Store, Topic};

/// A webhook that was received.
#[derive(Clone)]
pub struct NewWebhook {
    /// Whose URL it came to.
    pub provider: Provider,
    /// Which call's URL it came to.
    pub call_id: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// Set for a body that can't be applied; it is kept for inspection.
    pub malformed: bool,
}

/// A stored webhook that waits to be applied.
#[derive(Clone)]
pub struct StoredWebhook {
    /// Its number in the inbox.
    pub id: i64,
    /// Whose URL it came to.
    pub provider: Provider,
    /// Which call's URL it came to.
    pub call_id: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: Timestamp,
}

type StoredRow = (i64, i64, String, String, Option<Vec<u8>>);

impl Store {
    /// Stores a webhook; durable when this returns.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn store_webhook(&self, webhook: NewWebhook) -> Result<()> {
        self.groups()?.webhooks.write((webhook, self.now())).await
    }

    /// The oldest webhooks that wait to be applied: at most `most`, and about `most_bytes`.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn pending_webhooks(
        &self,
        most: usize,
        most_bytes: i64,
    ) -> Result<Vec<StoredWebhook>> {
        let mut conn = self.read().await?;
        let sizes: Vec<(i64, i64)> = rows!(
            conn,
            "SELECT id, bytes FROM webhook_inbox WHERE outcome IS NULL ORDER BY id LIMIT $1",
            most as i64,
        )?;
        let mut bytes = 0;
        let last = sizes
            .iter()
            .take_while(|(_, size)| {
                let fits = bytes == 0 || bytes + size <= most_bytes;
                bytes += size;
                fits
            })
            .last();
        let Some((last, _)) = last else { return Ok(Vec::new()) };
        let found: Vec<StoredRow> = rows!(
            conn,
            "SELECT id, received_at, provider, call_id, body FROM webhook_inbox
             WHERE outcome IS NULL AND id <= $1 ORDER BY id",
            *last,
        )?;
        found
            .into_iter()
            .map(|(id, at, provider, call_id, body)| {
                Ok(StoredWebhook {
                    id,
                    provider: parse_provider(&provider, id)?,
                    call_id,
                    body: body.unwrap_or_default(),
                    received_at: Timestamp(at),
                })
            })
            .collect()
    }

    /// Marks a stored webhook that turned out not to be readable.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn mark_malformed(&self, id: i64) -> Result<()> {
        let now = self.now();
        self.write(move |conn| {
            Box::pin(async move {
                exec!(
                    conn,
                    "UPDATE webhook_inbox SET outcome = 'malformed', applied_at = $2
                     WHERE id = $1 AND outcome IS NULL",
                    id,
                    now.0,
                )?;
                Ok(())
            })
        })
        .await
    }

    /// Whether any webhook waits to be applied.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn webhooks_wait(&self) -> Result<bool> {
        let mut conn = self.read().await?;
        let first: Option<(i64,)> =
            row!(conn, "SELECT id FROM webhook_inbox WHERE outcome IS NULL ORDER BY id LIMIT 1")?;
        Ok(first.is_some())
    }

    /// How many webhooks wait, and since when the oldest.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn inbox_backlog(&self) -> Result<(i64, Option<Timestamp>)> {
        let mut conn = self.read().await?;
        let found: Option<(i64, Option<i64>)> = row!(
            conn,
            "SELECT COUNT(*), MIN(received_at) FROM webhook_inbox WHERE outcome IS NULL",
        )?;
        let (n, oldest) = found.unwrap_or_default();
        Ok((n, oldest.map(Timestamp)))
    }
}

/// Stores webhooks.
pub(crate) fn store_all(
    conn: &mut Conn,
    webhooks: Vec<(NewWebhook, Timestamp)>,
) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        for (webhook, now) in webhooks {
            let outcome = webhook.malformed.then_some("malformed");
            exec!(
                conn,
                "INSERT INTO webhook_inbox (received_at, provider, call_id, body, bytes, outcome, applied_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                now.0,
                webhook.provider.as_str(),
                webhook.call_id,
                webhook.body.clone(),
                webhook.body.len() as i64,
                outcome,
                outcome.map(|_| now.0),
            )?;
        }
        conn.announce(Topic::Inbox);
        Ok(())
    })
}
