//! Webhooks as they came: stored before they are acknowledged, applied afterwards.

use jobs::{Provider, Timestamp};

use crate::conn::{Conn, exec, row, rows};
use crate::each::{Column, each, ints, texts};
use crate::grouped::Item;
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

impl Item for (NewWebhook, Timestamp) {}

/// Stores webhooks.
pub(crate) fn store_all(
    conn: &mut Conn,
    webhooks: Vec<(NewWebhook, Timestamp)>,
) -> BoxFuture<'_, Result<Vec<usize>>> {
    Box::pin(async move {
        let outcome = |webhook: &NewWebhook| webhook.malformed.then_some("malformed");
        let columns = vec![
            ("received_at", ints(webhooks.iter().map(|(_, now)| now.0))),
            ("provider", texts(webhooks.iter().map(|(one, _)| Some(one.provider.as_str())))),
            ("call_id", texts(webhooks.iter().map(|(one, _)| Some(&*one.call_id)))),
            ("bytes", ints(webhooks.iter().map(|(one, _)| one.body.len() as i64))),
            ("outcome", texts(webhooks.iter().map(|(one, _)| outcome(one)))),
            ("applied_at", ints(webhooks.iter().map(|(one, now)| outcome(one).map(|_| now.0)))),
            ("body", Column::Blobs(webhooks.into_iter().map(|(one, _)| one.body).collect())),
        ];
        each(
            conn,
            "INSERT INTO webhook_inbox (received_at, provider, call_id, bytes, outcome, applied_at, body)
             SELECT e.received_at, e.provider, e.call_id, e.bytes, e.outcome, e.applied_at, e.body FROM ROWS",
            columns,
        )
        .await?;
        conn.announce(Topic::Inbox);
        Ok(Vec::new())
    })
}
