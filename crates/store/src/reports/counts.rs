//! Rows and credits as the dashboard shows them, from the counts that are kept of them.

use db::{Conn, record};
use jobs::{Credits, Provider};

use crate::decode::parse_provider;
use crate::error::Result;

record! {
    /// Rows and credits of one provider.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    #[expect(
        missing_docs,
        reason = "the columns of batch_status and batch_spend, which the contract explains; what lookups cost is part of what was spent"
    )]
    pub struct Counts {
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
        pub people_asked: i64,
        pub people_found: i64,
        pub credits_reserved: Credits = Credits::from_thousandths,
        pub credits_spent: Credits = Credits::from_thousandths,
        pub credits_looked_up: Credits = Credits::from_thousandths,
    }
}

impl Counts {
    /// The states and how many rows show each, in the order of a row's life, ends last.
    #[must_use]
    pub fn by_state(&self) -> [(&'static str, i64); 10] {
        [
            ("found", self.found),
            ("not_found", self.not_found),
            ("failed", self.failed),
            ("expired", self.expired),
            ("cancelled", self.cancelled),
            ("awaiting", self.awaiting),
            ("sending", self.sending),
            ("queued", self.queued),
            ("retrying", self.retrying),
            ("held", self.held),
        ]
    }

    /// Rows that are finished, whatever their result.
    #[must_use]
    pub fn finished(&self) -> i64 {
        self.found + self.not_found + self.failed + self.expired + self.cancelled
    }

    /// Rows that are not finished.
    #[must_use]
    pub fn unfinished(&self) -> i64 {
        self.queued + self.sending + self.awaiting + self.retrying + self.held
    }

    /// The share of answered people who have a number.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        let answered = self.found + self.not_found;
        (answered > 0).then(|| self.found as f64 / answered as f64)
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Counts) {
        self.queued += other.queued;
        self.sending += other.sending;
        self.awaiting += other.awaiting;
        self.retrying += other.retrying;
        self.held += other.held;
        self.found += other.found;
        self.not_found += other.not_found;
        self.failed += other.failed;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.people_asked += other.people_asked;
        self.people_found += other.people_found;
        self.credits_reserved += other.credits_reserved;
        self.credits_spent += other.credits_spent;
        self.credits_looked_up += other.credits_looked_up;
    }
}

record! {
    struct ProviderCounts {
        provider: String,
        counts: Counts,
    }
}

/// Rows and credits of all batches, by provider.
pub(crate) async fn read_counts(conn: &mut Conn) -> Result<Vec<(Provider, Counts)>> {
    let found: Vec<ProviderCounts> = conn.fetch_all(
        "SELECT t.provider,
            CAST(SUM(CASE WHEN t.at_ceiling = 0 AND h.shown_as IS NULL THEN t.queued ELSE 0 END) AS BIGINT) AS queued,
            CAST(SUM(COALESCE(s.row_count, 0)) AS BIGINT) AS sending,
            CAST(SUM(t.asked - COALESCE(s.row_count, 0)) AS BIGINT) AS awaiting,
            CAST(SUM(t.retrying + CASE WHEN t.at_ceiling = 0 AND h.shown_as = 'retrying' THEN t.queued ELSE 0 END) AS BIGINT) AS retrying,
            CAST(SUM(CASE WHEN t.at_ceiling = 1 OR h.shown_as = 'held' THEN t.queued ELSE 0 END) AS BIGINT) AS held,
            CAST(SUM(t.found) AS BIGINT) AS found, CAST(SUM(t.not_found) AS BIGINT) AS not_found,
            CAST(SUM(t.failed) AS BIGINT) AS failed, CAST(SUM(t.expired) AS BIGINT) AS expired,
            CAST(SUM(t.cancelled) AS BIGINT) AS cancelled,
            CAST(SUM(t.people_asked) AS BIGINT) AS people_asked,
            CAST(SUM(t.people_found) AS BIGINT) AS people_found,
            CAST(SUM(t.credits_reserved + t.written_off) AS BIGINT) AS credits_reserved,
            CAST(SUM(t.credits_spent) AS BIGINT) AS credits_spent,
            CAST(SUM(t.credits_looked_up) AS BIGINT) AS credits_looked_up
         FROM batch_totals t JOIN batches b ON b.id = t.batch_id AND b.published_at IS NOT NULL
         LEFT JOIN rows_sending s ON s.batch_id = t.batch_id AND s.provider = t.provider
         LEFT JOIN provider_holds h ON h.provider = t.provider
         GROUP BY t.provider",
        &[],
    )
    .await?;
    found.into_iter().map(|row| Ok((parse_provider(&row.provider, 0)?, row.counts))).collect()
}

/// The number up to which entries are counted that no kept count covers.
pub const COUNTED: i64 = 1_000;
