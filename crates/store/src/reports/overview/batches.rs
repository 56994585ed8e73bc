//! Batches as the dashboard lists them: one query reads several batches with the counts of each provider.

use db::{Conn, record};
use jobs::{Credits, Provider, Timestamp};

use crate::decode::{optional_credits, parse_provider};
use crate::error::Result;
use crate::reports::counts::Counts;

/// The state of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOverview {
    /// Its public id.
    pub batch_id: String,
    /// A name for people to read.
    pub name: Option<String>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its last row was finished.
    pub finished_at: Option<Timestamp>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// Its rows.
    pub total: i64,
    /// Rows and credits by provider.
    pub providers: Vec<BatchProvider>,
}

/// A batch at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchProvider {
    /// The provider.
    pub provider: Provider,
    /// Rows that show the provider, and credits.
    pub counts: Counts,
    /// The batch's ceiling there.
    pub max_credits: Option<Credits>,
    /// Whether the next person would pass the ceiling.
    pub at_ceiling: bool,
}

impl BatchOverview {
    /// The counts over all providers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.providers.iter().fold(Counts::default(), |mut sum, p| {
            sum.add(&p.counts);
            sum
        })
    }
}

record! {
    struct BatchRow {
        batch_id: String,
        name: Option<String>,
        created_at: i64,
        finished_at: Option<i64>,
        cancelled_at: Option<i64>,
        total: i64,
        provider: Option<String>,
        max_credits: Option<Credits> = optional_credits,
        at_ceiling: i64,
        counts: Counts,
    }
}

/// Reads `only` one batch, or `most` batches: unfinished ones first, then the newest.
pub(crate) async fn read_batches(
    conn: &mut Conn,
    only: Option<i64>,
    most: usize,
) -> Result<Vec<BatchOverview>> {
    let found: Vec<BatchRow> = conn.fetch_all(
        "SELECT b.batch_id, b.name, b.created_at, b.finished_at, b.cancelled_at, b.total, t.provider,
            t.max_credits, COALESCE(t.at_ceiling, 0) AS at_ceiling,
            CASE WHEN t.at_ceiling = 0 AND h.shown_as IS NULL THEN t.queued ELSE 0 END AS queued,
            COALESCE(s.row_count, 0) AS sending, COALESCE(t.asked, 0) - COALESCE(s.row_count, 0) AS awaiting,
            COALESCE(t.retrying, 0) + CASE WHEN t.at_ceiling = 0 AND h.shown_as = 'retrying' THEN t.queued ELSE 0 END AS retrying,
            CASE WHEN t.at_ceiling = 1 OR h.shown_as = 'held' THEN t.queued ELSE 0 END AS held,
            COALESCE(t.found, 0) AS found, COALESCE(t.not_found, 0) AS not_found,
            COALESCE(t.failed, 0) AS failed, COALESCE(t.expired, 0) AS expired,
            COALESCE(t.cancelled, 0) AS cancelled, COALESCE(t.people_asked, 0) AS people_asked,
            COALESCE(t.people_found, 0) AS people_found,
            COALESCE(t.credits_reserved + t.written_off, 0) AS credits_reserved,
            COALESCE(t.credits_spent, 0) AS credits_spent, COALESCE(t.credits_looked_up, 0) AS credits_looked_up
         FROM (SELECT id FROM batches
               WHERE published_at IS NOT NULL AND ($1 = 0 OR id = $1)
               ORDER BY CASE WHEN finished_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT $2) l
         JOIN batches b ON b.id = l.id
         LEFT JOIN batch_totals t ON t.batch_id = b.id
         LEFT JOIN rows_sending s ON s.batch_id = t.batch_id AND s.provider = t.provider
         LEFT JOIN provider_holds h ON h.provider = t.provider
         ORDER BY CASE WHEN b.finished_at IS NULL THEN 0 ELSE 1 END, b.id DESC, t.provider DESC",
        &[&only.unwrap_or(0), &(most as i64)],
    )
    .await?;
    let mut batches: Vec<BatchOverview> = Vec::new();
    for row in found {
        if batches.last().is_none_or(|last| last.batch_id != row.batch_id) {
            batches.push(row.batch());
        }
        let of_provider = row.at_provider()?;
        if let Some(batch) = batches.last_mut() {
            batch.providers.extend(of_provider);
        }
    }
    Ok(batches)
}

impl BatchRow {
    fn batch(&self) -> BatchOverview {
        BatchOverview {
            batch_id: self.batch_id.clone(),
            name: self.name.clone(),
            created_at: Timestamp(self.created_at),
            finished_at: self.finished_at.map(Timestamp),
            cancelled: self.cancelled_at.is_some(),
            total: self.total,
            providers: Vec::new(),
        }
    }

    fn at_provider(&self) -> Result<Option<BatchProvider>> {
        let Some(provider) = &self.provider else { return Ok(None) };
        Ok(Some(BatchProvider {
            provider: parse_provider(provider, self.total)?,
            counts: self.counts,
            max_credits: self.max_credits,
            at_ceiling: self.at_ceiling == 1,
        }))
    }
}
