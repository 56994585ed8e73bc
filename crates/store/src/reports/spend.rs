//! What batches and accounts spent, by provider: their credits are different currencies.

use std::collections::BTreeMap;

use db::record;
use jobs::reconcile::Reading;
use jobs::{Credits, Provider, Timestamp};
use serde::Serialize;

use crate::decode::{BatchRef, optional_credits, parse_provider};
use crate::error::Result;
use crate::reports::Reports;

/// Credits of a batch at one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProviderCredits {
    /// What was charged.
    pub spent: Credits,
    /// The part of `spent` that lookups of LinkedIn addresses cost.
    #[serde(skip_serializing_if = "Credits::is_zero")]
    pub lookup: Credits,
    /// What results that are out may cost, and what people who expired may have cost.
    pub reserved: Credits,
    /// The ceiling.
    pub max: Option<Credits>,
}

record! {
    struct SpendRow {
        id: i64,
        batch_id: String,
        provider: String,
        spent: Credits = Credits::from_thousandths,
        lookup: Credits = Credits::from_thousandths,
        reserved: Credits = Credits::from_thousandths,
        max_credits: Option<Credits> = optional_credits,
    }
}

record! {
    struct ReadingRow {
        id: i64,
        provider: String,
        read_at: i64,
        credits: Credits = Credits::from_thousandths,
        ledger_spent: Credits = Credits::from_thousandths,
        reserved: Credits = Credits::from_thousandths,
    }
}

impl Reports<'_> {
    /// What batches spent at each of their providers, by the batches' public ids.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn credits_by_provider(
        self,
        batch: Option<&BatchRef>,
    ) -> Result<BTreeMap<String, BTreeMap<Provider, ProviderCredits>>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<SpendRow> = conn.fetch_all(
            "SELECT b.id, b.batch_id, t.provider, t.credits_spent AS spent, t.credits_looked_up AS lookup,
                    t.credits_reserved + t.written_off AS reserved, t.max_credits
             FROM batches b JOIN batch_totals t ON t.batch_id = b.id
             WHERE b.published_at IS NOT NULL AND (b.id = $1 OR $1 = 0)",
            &[&batch.map_or(0, |batch| batch.id)],
        )
        .await?;
        let mut credits: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for row in found {
            let SpendRow { spent, lookup, reserved, max_credits: max, .. } = row;
            let provider = parse_provider(&row.provider, row.id)?;
            let at = ProviderCredits { spent, lookup, reserved, max };
            credits.entry(row.batch_id).or_default().insert(provider, at);
        }
        Ok(credits)
    }

    /// Returns the balances that were read from the accounts, in the order of their time.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn balance_readings(self) -> Result<Vec<Reading>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<ReadingRow> = conn.fetch_all(
            "SELECT id, provider, read_at, credits, ledger_spent, reserved FROM balance_readings ORDER BY id",
            &[],
        )
        .await?;
        let reading = |row: ReadingRow| {
            Ok(Reading {
                provider: parse_provider(&row.provider, row.id)?,
                at: Timestamp(row.read_at),
                credits: row.credits,
                ledger_spent: row.ledger_spent,
                reserved: row.reserved,
            })
        };
        found.into_iter().map(reading).collect()
    }
}
