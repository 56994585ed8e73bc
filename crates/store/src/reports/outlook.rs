//! What is known of a provider before a batch asks it.

use jobs::{Credits, OffReason, PerPerson, Price, Provider};

use crate::error::Result;
use crate::gates::account::Account;
use crate::gates::gate::Gate;
use crate::reports::Reports;

/// What the ledger knows of a provider before a batch asks it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownOfProvider {
    /// What one person may cost.
    pub price: Price,
    /// People whose results came so far, in all batches.
    pub people_answered: i64,
    /// What those people cost.
    pub spent: Credits,
    /// The credits in the account, if they are known.
    pub balance: Option<Credits>,
    /// The most requests per second, if a worker has reported it.
    pub rate: Option<f64>,
    /// What workers lack, if a worker has reported it.
    pub lacks: Option<Option<OffReason>>,
}

impl Reports<'_> {
    /// Returns what is known of a provider before a batch asks it; `price` is what the settings say of its price.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn known_of_provider(
        self,
        provider: Provider,
        price: PerPerson,
    ) -> Result<KnownOfProvider> {
        let mut conn = self.store.db.read().await?;
        let gate = Gate::read(&mut conn, provider).await?;
        let so_far: Option<(i64, i64)> = conn
            .fetch_optional(
                "SELECT CAST(COALESCE(SUM(people_found + people_not_found), 0) AS BIGINT),
                        CAST(COALESCE(SUM(credits_spent), 0) AS BIGINT)
                 FROM batch_totals WHERE provider = $1",
                &[&provider.as_str()],
            )
            .await?;
        let (people_answered, spent) = so_far.unwrap_or_default();
        let account = Account::read(&mut conn, provider, &gate).await?;
        let reported = gate.off_reason.is_some() || gate.key_fingerprint.is_some();
        Ok(KnownOfProvider {
            price: gate.price(provider, price),
            people_answered,
            spent: Credits::from_thousandths(spent),
            balance: account.map(|account| account.left),
            rate: gate.rate_limit.map(|limit| gate.rate(limit, self.store.now())),
            lacks: reported.then_some(gate.off_reason),
        })
    }
}
