//! What good answers mean for a provider's gate. Counted after what they say of people, in short
//! transactions of their own: who writes down many people doesn't keep others from the gate meanwhile.
//! What is lost of it in a crash makes a rate grow a little later.

use jobs::{Provider, Timestamp};

use crate::conn::{Conn, exec};
use crate::gate::Gate;
use crate::writer::BoxFuture;
use crate::{Result, Store};

/// A request that was answered sensibly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) provider: Provider,
    /// Whether it was an order, and the provider took it.
    pub(crate) accepted: bool,
    pub(crate) now: Timestamp,
}

impl Store {
    /// Counts a good answer. What it said is written already, so a failure here is nobody's matter.
    pub(crate) async fn count_passed(&self, passed: Passed) -> Result<()> {
        if let Err(error) = self.groups()?.passed.write(passed).await {
            tracing::debug!(%error, "a good answer was not counted");
        }
        Ok(())
    }
}

pub(crate) fn count_all(conn: &mut Conn, all: Vec<Passed>) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        for provider in Gate::lock_all(conn, all.iter().map(|one| one.provider)).await?.into_keys()
        {
            let own = all.iter().filter(|one| one.provider == provider);
            let accepted_at = own.clone().filter(|one| one.accepted).map(|one| one.now.0).max();
            exec!(
                conn,
                "UPDATE provider_gates SET passed = passed + $2, broken_streak = 0,
                    accepted_at = COALESCE($3, accepted_at),
                    refused_singles = CASE WHEN $3 IS NULL THEN refused_singles ELSE 0 END
                 WHERE provider = $1",
                provider.as_str(),
                own.count() as i64,
                accepted_at,
            )?;
        }
        Ok(())
    })
}
