//! The status of batches and providers: the rows of the views, and which batch a word means.

use db::{Conn, record};
use jobs::{Credits, Provider};
use serde::Serialize;

use crate::decode::{BatchRef, optional_credits, parse_batch_id, parse_provider};
use crate::error::{Result, StoreError};
use crate::reports::Reports;

/// How many candidates an ambiguous name lists.
const MOST_CANDIDATES: usize = 5;

record! {
    /// A row of `batch_status`; the names are the view's.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    #[expect(missing_docs, reason = "the columns of the view, which the contract explains")]
    pub struct BatchStatus {
        pub batch_id: String,
        pub name: Option<String>,
        pub created_at: String,
        pub finished_at: Option<String>,
        pub total: i64,
        pub queued: i64,
        pub sending: i64,
        pub awaiting: i64,
        pub retrying: i64,
        pub held: i64,
        pub found: i64,
        pub not_found: i64,
        pub failed: i64,
        pub expired: i64,
        pub cancelled: i64,
        pub credits_reserved: Credits = Credits::from_thousandths,
        pub credits_spent: Credits = Credits::from_thousandths,
    }
}

/// The view shows credits as decimals; they are read as thousandths.
macro_rules! batch_status_columns {
    () => {
        "SELECT batch_id, name, created_at, finished_at, total, queued, sending, awaiting, retrying, held,
            found, not_found, failed, expired, cancelled,
            CAST(ROUND(credits_reserved * 1000) AS BIGINT) AS credits_reserved,
            CAST(ROUND(credits_spent * 1000) AS BIGINT) AS credits_spent
         FROM batch_status"
    };
}

impl BatchStatus {
    /// Rows that are finished, whatever their result.
    #[must_use]
    pub fn finished(&self) -> i64 {
        self.found + self.not_found + self.failed + self.expired + self.cancelled
    }
}

record! {
    /// A row of `provider_status`; the names are the view's.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    #[expect(missing_docs, reason = "the columns of the view, which the contract explains")]
    pub struct ProviderStatus {
        pub provider: String,
        pub gate: String,
        pub gate_reason: Option<String>,
        pub gate_until: Option<String>,
        pub in_flight: i64,
        pub requests_today: i64,
        pub rate: Option<f64>,
        pub credits_left: Option<Credits> = optional_credits,
        pub credits_checked_at: Option<String>,
    }
}

impl Reports<'_> {
    /// The batch that `text` means: by its id, the beginning of its id, or its name.
    ///
    /// # Errors
    /// There is no such batch, or more than one.
    pub async fn find_batch(self, text: &str) -> Result<BatchRef> {
        let text = text.trim();
        let mut conn = self.store.db.read().await?;
        // An id names one batch, whatever other batches are called. A name goes before the beginning of an id.
        let by_id = candidates(&mut conn, text, "id").await?;
        let by_name =
            if by_id.is_empty() { candidates(&mut conn, text, "name").await? } else { by_id };
        let found =
            if by_name.is_empty() { candidates(&mut conn, text, "prefix").await? } else { by_name };
        match found.as_slice() {
            [] => Err(StoreError::NotFound(format!(
                "there is no batch {text:?} in {}; enqueue status lists them",
                self.store.place()
            ))),
            [(id, batch_id)] => Ok(BatchRef { id: *id, batch_id: parse_batch_id(batch_id)? }),
            several => {
                let ids: Vec<&str> =
                    several.iter().take(MOST_CANDIDATES).map(|(_, id)| id.as_str()).collect();
                Err(StoreError::NotFound(format!(
                    "{text:?} means more than one batch; say its id: {}",
                    ids.join(", ")
                )))
            }
        }
    }

    /// The status of one batch, or of all, the newest first.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn batch_status(self, batch: Option<&BatchRef>) -> Result<Vec<BatchStatus>> {
        let mut conn = self.store.db.read().await?;
        Ok(match batch {
            Some(batch) => {
                conn.fetch_all(
                    concat!(batch_status_columns!(), " WHERE batch_id = $1"),
                    &[&batch.batch_id.to_string()],
                )
                .await?
            }
            None => {
                conn.fetch_all(
                    concat!(batch_status_columns!(), " ORDER BY created_at DESC, batch_id DESC"),
                    &[],
                )
                .await?
            }
        })
    }

    /// Returns the status of the providers.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn provider_status(self) -> Result<Vec<ProviderStatus>> {
        let mut conn = self.store.db.read().await?;
        Ok(conn
            .fetch_all(
                "SELECT provider, gate, gate_reason, gate_until, in_flight, requests_today, rate,
                    CAST(ROUND(credits_left * 1000) AS BIGINT) AS credits_left, credits_checked_at
                 FROM provider_status ORDER BY provider DESC",
                &[],
            )
            .await?)
    }

    /// Returns how many old versions of the gates Postgres keeps; `None` on SQLite. They can't be
    /// removed while another transaction stays open.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn old_gate_versions(self) -> Result<Option<i64>> {
        if !self.store.is_postgres() {
            return Ok(None);
        }
        let mut conn = self.store.db.read().await?;
        let kept = conn.fetch_value(
            "SELECT COALESCE(MAX(n_dead_tup), 0) FROM pg_stat_user_tables
             WHERE schemaname = current_schema() AND relname = 'provider_gates'",
            &[],
        );
        Ok(Some(kept.await?))
    }

    /// The providers that a batch has rows or a ceiling at, in the order of [`Provider::ALL`].
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn batch_providers(self, batch: &BatchRef) -> Result<Vec<Provider>> {
        let mut conn = self.store.db.read().await?;
        let found: Vec<(String,)> = conn
            .fetch_all(
                "SELECT provider FROM batch_totals WHERE batch_id = $1 ORDER BY provider DESC",
                &[&batch.id],
            )
            .await?;
        found.into_iter().map(|(provider,)| parse_provider(&provider, batch.id)).collect()
    }
}

async fn candidates(conn: &mut Conn, text: &str, by: &'static str) -> Result<Vec<(i64, String)>> {
    let upper = text.to_ascii_uppercase();
    Ok(match by {
        "id" => conn.fetch_all(
            "SELECT id, batch_id FROM batches WHERE batch_id = $1 AND published_at IS NOT NULL",
            &[&upper],
        )
        .await?,
        "name" => conn.fetch_all(
            "SELECT id, batch_id FROM batches WHERE name = $1 AND published_at IS NOT NULL
             ORDER BY id DESC LIMIT 6",
            &[&text],
        )
        .await?,
        // Ids hold letters and digits only, so nothing in them is a pattern of LIKE.
        _ if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric()) => Vec::new(),
        _ => conn.fetch_all(
            "SELECT id, batch_id FROM batches WHERE batch_id LIKE $1 || '%' AND published_at IS NOT NULL
             ORDER BY id DESC LIMIT 6",
            &[&upper],
        )
        .await?,
    })
}
