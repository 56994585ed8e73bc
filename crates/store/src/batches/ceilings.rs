//! Ceilings on the credits of a batch.

use std::collections::BTreeMap;

use jobs::{Credits, Provider};

use crate::audit::{Action, Entry};
use crate::batches::Batches;
use crate::batches::loading::Loading;
use crate::decode::BatchRef;
use crate::error::Result;
use crate::reveals::counters::write::begin_counts;
use crate::topic::Topic;

impl Loading {
    /// The batch, as operations on published batches take it.
    #[must_use]
    pub fn as_batch(&self) -> BatchRef {
        BatchRef { id: self.id, batch_id: self.batch_id }
    }
}

impl Batches<'_> {
    /// Sets how many credits a batch may use at each provider; `None` removes a ceiling. People who wait at the old ceiling
    /// are queued again.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn set_ceilings(
        self,
        batch: &BatchRef,
        ceilings: &BTreeMap<Provider, Option<Credits>>,
    ) -> Result<()> {
        let (id, batch_id, ceilings) = (batch.id, batch.batch_id, ceilings.clone());
        let (actor, now) = (self.store.actor(), self.store.now());
        if ceilings.is_empty() {
            return Ok(());
        }
        self.store.db.write(move |conn| {
            Box::pin(async move {
                for (provider, max) in ceilings {
                    begin_counts(conn, &[(id, provider)]).await?;
                    conn.execute(
                        "UPDATE batch_totals SET max_credits = $3 WHERE batch_id = $1 AND provider = $2",
                        &[&id, &provider.as_str(), &max.map(Credits::thousandths)],
                    )
                    .await?;
                    let raised = Entry::of(Action::Ceiling).batch(batch_id).provider(provider);
                    let raised = raised.details(max.map_or("max_credits=unlimited".into(), |max| format!("max_credits={max}")));
                    raised.write(conn, actor.clone(), now).await?;
                }
                conn.announce(Topic::Queue);
                Ok(())
            })
        })
        .await
    }
}
