//! Stores webhooks that came, all that come together in one write.

use std::collections::BTreeSet;
use std::sync::Arc;

use db::bulk::{Column, ints, texts, write_rows};
use db::{BoxFuture, Conn, Item, Urgency};
use jobs::Reception;

use crate::error::{Result, StoreError};
use crate::gates::unread_webhooks::body_is_unread;
use crate::results::Results;
use crate::results::inbox::new_webhook::{NewWebhook, Received, Writing};
use crate::results::inbox::once::{Arrival, Came, with_arrivals};
use crate::topic::Topic;

impl Results<'_> {
    /// Stores a webhook if its address takes it; durable when this returns. If the caller stops waiting and drops the
    /// webhook, it is not stored, unless its transaction has begun.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn store_webhook(self, webhook: impl Into<Arc<NewWebhook>>) -> Result<Reception> {
        self.store(webhook.into(), false).await
    }

    /// Stores a webhook that the provider believes to be kept, whatever its address has taken.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn store_acknowledged(self, webhook: NewWebhook) -> Result<()> {
        self.store(Arc::new(webhook), true).await.map(|_| ())
    }

    async fn store(self, webhook: Arc<NewWebhook>, is_acknowledged: bool) -> Result<Reception> {
        let came = Received::new(&webhook, self.store.now(), is_acknowledged);
        if self.store.is_postgres() {
            return self.store.batchers.write(came).await;
        }
        // SQLite has one writer, which groups webhooks anyway. With groups of their own, the next webhooks would wait for
        // two commits and for the writes between them.
        let stored = self.store.db.write_statement(move |conn| store_all(conn, vec![came])).await?;
        Ok(stored.into_iter().next().unwrap_or(Reception::Open))
    }
}

impl Item for Received {
    type Output = Reception;
    type Error = StoreError;

    /// A provider waits for its 200, and may take too long a wait for a failure.
    const URGENCY: Urgency = Urgency::Urgent;

    fn write_all(conn: &mut Conn, came: Vec<Self>) -> BoxFuture<'_, Result<Vec<Reception>>> {
        store_all(conn, came)
    }
}

/// Stores webhooks that their addresses take. A body that came to the same address before is not kept again: a provider
/// sends it until it is accepted, and so may any sender that knows the address. Processes that store at the same moment don't
/// see each other's bodies, so an address may take a few more. Returns for each whether it was taken.
pub(crate) fn store_all(
    conn: &mut Conn,
    came: Vec<Received>,
) -> BoxFuture<'_, Result<Vec<Reception>>> {
    Box::pin(async move {
        let waiting: Vec<Option<Writing>> = came.into_iter().map(Received::upgrade).collect();
        let waits: Vec<bool> = waiting.iter().map(Option::is_some).collect();
        let arrived = with_arrivals(conn, waiting.into_iter().flatten().collect()).await?;
        let mut taken = arrived.iter().map(|(.., arrival)| arrival.reception());
        // Callers of the others have stopped waiting, and read no answer.
        let taken = |waits: bool| waits.then(|| taken.next()).flatten().unwrap_or(Reception::Open);
        let receptions = waits.into_iter().map(taken).collect();
        insert(conn, arrived).await?;
        Ok(receptions)
    })
}

/// Writes those that are kept, or of which it is kept that they came.
async fn insert(conn: &mut Conn, mut webhooks: Vec<Came>) -> Result<()> {
    webhooks.retain(|(.., arrival)| arrival.is_written());
    let Some((_, now, _)) = webhooks.last() else { return Ok(()) };
    let unread = webhooks.iter().filter(|(one, ..)| one.malformed);
    let unread: BTreeSet<_> = unread.map(|(one, ..)| (one.provider, &*one.call_id)).collect();
    body_is_unread(conn, &unread, *now).await?;
    let outcome = |(webhook, _, arrival): &Came| match arrival {
        Arrival::Again => Some("duplicate"),
        _ => webhook.malformed.then_some("malformed"),
    };
    let columns = vec![
        ("received_at", ints(webhooks.iter().map(|(_, now, _)| now.0))),
        ("provider", texts(webhooks.iter().map(|(one, ..)| Some(one.provider.as_str())))),
        ("call_id", texts(webhooks.iter().map(|(one, ..)| Some(&*one.call_id)))),
        ("bytes", ints(webhooks.iter().map(|(one, ..)| one.body.len() as i64))),
        ("outcome", texts(webhooks.iter().map(outcome))),
        ("applied_at", ints(webhooks.iter().map(|one| outcome(one).map(|_| one.1.0)))),
        ("kept", ints(webhooks.iter().map(|(.., arrival)| i64::from(*arrival == Arrival::First)))),
        (
            "body",
            Column::Blobs(
                webhooks
                    .iter()
                    .map(|(one, _, arrival)| match arrival {
                        Arrival::First => one.body.clone(),
                        _ => Vec::new(),
                    })
                    .collect(),
            ),
        ),
    ];
    write_rows(
        conn,
        "INSERT INTO webhook_inbox (received_at, provider, call_id, bytes, outcome, applied_at, body)
         SELECT e.received_at, e.provider, e.call_id, e.bytes, e.outcome, e.applied_at,
            CASE WHEN e.kept = 1 THEN e.body END FROM ROWS",
        columns,
    )
    .await?;
    conn.announce(Topic::Inbox);
    Ok(())
}
