//! Batches' ceilings.

use std::collections::BTreeMap;

use jobs::{Credits, Provider};

use crate::audit::{Action, Entry};
use crate::conn::{Conn, exec, rows};
use crate::status::BatchRef;
use crate::{Loading, Result, Store, Topic};

impl Loading {
    /// The batch, for what can be done to a published one, too.
    #[must_use]
    pub fn as_batch(&self) -> BatchRef {
        BatchRef { id: self.id, batch_id: self.batch_id }
    }
}

impl Store {
    /// Sets how many credits a batch may use at providers. Whoever waits at the old ceiling has
    /// their turn again.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn set_ceilings(
        &self,
        batch: &BatchRef,
        ceilings: &BTreeMap<Provider, Credits>,
    ) -> Result<()> {
        let (id, batch_id, ceilings) = (batch.id, batch.batch_id, ceilings.clone());
        let (actor, now) = (self.actor(), self.now());
        if ceilings.is_empty() {
            return Ok(());
        }
        self.write(move |conn| {
            Box::pin(async move {
                for (provider, max) in ceilings {
                    exec!(
                        conn,
                        "INSERT INTO batch_totals (batch_id, provider, max_credits) VALUES ($1, $2, $3)
                         ON CONFLICT (batch_id, provider)
                         DO UPDATE SET max_credits = excluded.max_credits",
                        id,
                        provider.as_str(),
                        max.thousandths(),
                    )?;
                    let raised = Entry::of(Action::Ceiling).batch(batch_id).provider(provider);
                    let raised = raised.details(format!("max_credits={max}"));
                    raised.write(conn, actor.clone(), now).await?;
                }
                conn.announce(Topic::Queue);
                Ok(())
            })
        })
        .await
    }
}

/// Writes down what one more person may cost, where a batch with a ceiling waits: whether it is full is judged by that.
/// Whether any was judged by another price. Counts are locked last of all, so this is a transaction of its own.
pub(crate) async fn reprice(conn: &mut Conn, provider: Provider, price: Credits) -> Result<bool> {
    let stale: Vec<(i64,)> = rows!(
        conn,
        "SELECT batch_id FROM batch_totals
         WHERE provider = $1 AND queued > 0 AND max_credits IS NOT NULL AND person_price <> $2
         ORDER BY batch_id FOR UPDATE",
        provider.as_str(),
        price.thousandths(),
    )?;
    if stale.is_empty() {
        return Ok(false);
    }
    exec!(
        conn,
        "UPDATE batch_totals SET person_price = $2
         WHERE provider = $1 AND queued > 0 AND max_credits IS NOT NULL AND person_price <> $2",
        provider.as_str(),
        price.thousandths(),
    )?;
    Ok(true)
}
