use std::collections::{BTreeMap, BTreeSet};

use super::Database;

#[derive(Debug, sqlx::FromRow)]
pub struct Batch {
    pub id: i64,
    pub published_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub cancelled_at: Option<i64>,
    pub wants_mobile: i64,
    pub total: i64,
}

#[derive(Debug, Default, PartialEq, sqlx::FromRow)]
pub struct Totals {
    pub batch_id: i64,
    pub provider: String,
    pub queued: i64,
    pub asked: i64,
    pub retrying: i64,
    pub found: i64,
    pub not_found: i64,
    pub failed: i64,
    pub expired: i64,
    pub cancelled: i64,
    pub people_asked: i64,
    pub people_found: i64,
    pub people_not_found: i64,
    pub credits_reserved: i64,
    pub credits_spent: i64,
    pub written_off: i64,
    pub max_credits: Option<i64>,
    pub at_ceiling: i64,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Reveal {
    pub id: i64,
    pub provider: String,
    pub state: String,
    pub owner: Option<i64>,
    pub unclaimed: i64,
    pub isolation_group: Option<i64>,
    pub call_id: Option<i64>,
    pub due_at: Option<i64>,
    pub credits: i64,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub batch_id: i64,
    pub row_number: i64,
    pub reveal_id: Option<i64>,
    pub shared: i64,
    pub ended: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Call {
    pub id: i64,
    pub provider: String,
    pub kind: String,
    pub state: String,
    pub people: i64,
    pub open_people: i64,
    pub deadline_at: Option<i64>,
    pub poll_at: Option<i64>,
    pub repeat_of: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Member {
    pub call_id: i64,
    pub reveal_id: i64,
    pub payer: i64,
    pub reserved: i64,
    pub credits: Option<i64>,
}

pub struct Ledger {
    pub batches: BTreeMap<i64, Batch>,
    pub totals: BTreeMap<(i64, String), Totals>,
    pub reveals: BTreeMap<i64, Reveal>,
    pub rows: Vec<Row>,
    pub calls: BTreeMap<i64, Call>,
    pub members: Vec<Member>,
    /// The unclaimed range of a batch at a provider: first and last id.
    pub unclaimed_ranges: BTreeMap<(i64, String), (i64, i64)>,
    /// The reveals of a row's steps, in their order.
    pub waterfalls: BTreeMap<(i64, i64), Vec<i64>>,
    /// The reveals with a mobile number.
    pub mobile: BTreeSet<i64>,
}

impl Ledger {
    pub async fn read(db: &Database) -> Ledger {
        let batches: Vec<Batch> = db
            .all("SELECT id, published_at, finished_at, cancelled_at, wants_mobile, total FROM batches")
            .await;
        let totals: Vec<Totals> = db.all("SELECT * FROM batch_totals").await;
        let reveals: Vec<Reveal> = db
            .all("SELECT id, provider, state, owner, unclaimed, isolation_group, call_id, due_at, credits FROM reveals")
            .await;
        let rows =
            db.all("SELECT batch_id, row_number, reveal_id, shared, ended FROM batch_rows").await;
        let calls: Vec<Call> = db
            .all("SELECT id, provider, kind, state, people, open_people, deadline_at, poll_at, repeat_of FROM calls")
            .await;
        let members =
            db.all("SELECT call_id, reveal_id, payer, reserved, credits FROM call_reveals").await;
        let unclaimed_ranges: Vec<(i64, String, i64, i64)> =
            db.all("SELECT batch_id, provider, next, last FROM unclaimed_ranges").await;
        let unclaimed_ranges = unclaimed_ranges
            .into_iter()
            .map(|(batch, provider, next, last)| ((batch, provider), (next, last)));
        let steps: Vec<(i64, i64, i64)> = db
            .all("SELECT batch_id, row_number, reveal_id FROM row_waterfall ORDER BY batch_id, row_number, step")
            .await;
        let mut waterfalls: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
        for (batch, row, reveal) in steps {
            waterfalls.entry((batch, row)).or_default().push(reveal);
        }
        let mobile: Vec<(i64,)> = db
            .all(
                "SELECT DISTINCT reveal_id FROM phones WHERE type IN ('mobile', 'fixed_or_mobile')",
            )
            .await;
        Ledger {
            mobile: mobile.into_iter().map(|(id,)| id).collect(),
            waterfalls,
            unclaimed_ranges: unclaimed_ranges.collect(),
            batches: batches.into_iter().map(|b| (b.id, b)).collect(),
            totals: totals.into_iter().map(|t| ((t.batch_id, t.provider.clone()), t)).collect(),
            reveals: reveals.into_iter().map(|r| (r.id, r)).collect(),
            rows,
            calls: calls.into_iter().map(|c| (c.id, c)).collect(),
            members,
        }
    }

    /// The provider and state that a row shows.
    pub fn shows(&self, row: &Row) -> (Option<&str>, &str) {
        let reveal = row.reveal_id.map(|id| &self.reveals[&id]);
        let provider = reveal.map(|r| r.provider.as_str());
        match (&row.ended, reveal) {
            (Some(_), _) => (provider, "cancelled"),
            (None, Some(reveal)) => (provider, &reveal.state),
            (None, None) => panic!("{row:?} shows nothing"),
        }
    }
}

impl Totals {
    /// The number of rows that show a state.
    pub fn count(&self, state: &str) -> i64 {
        match state {
            "queued" => self.queued,
            "asked" => self.asked,
            "retrying" => self.retrying,
            "found" => self.found,
            "not_found" => self.not_found,
            "failed" => self.failed,
            "expired" => self.expired,
            _ => self.cancelled,
        }
    }
}
