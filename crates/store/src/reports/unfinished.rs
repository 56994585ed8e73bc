//! The work that is left on this database, and whether waiting will ever end it, for a worker that stops once it is idle.

use std::collections::BTreeMap;

use db::{Conn, record};
use jobs::{Credits, Provider};

use crate::decode::{optional_credits, parse_provider};
use crate::error::Result;
use crate::reports::Reports;
use crate::reports::blocked_reasons::{ShownGate, Why, ceiling, count, needs_operator, read_gates};

/// The work that is left in all published batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Rows that are not finished.
    pub unfinished: i64,
    /// Why waiting is in vain, a line for each cause with what to do. Empty as long as anything may still move by itself.
    pub stuck: Vec<String>,
}

/// The unfinished rows of one batch at one provider.
struct Open {
    batch: String,
    provider: Provider,
    queued: i64,
    on_the_way: i64,
    retrying: i64,
    at_ceiling: bool,
    reserved: Credits,
    max_credits: Option<Credits>,
    cancelled: bool,
}

impl Reports<'_> {
    /// Reads the work that is left, from the kept counts: cheap enough to do after every call.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn unfinished(self) -> Result<Unfinished> {
        let mut conn = self.store.db.read().await?;
        let open = read_open(&mut conn).await?;
        let unfinished = open.iter().map(|o| o.queued + o.on_the_way + o.retrying).sum();
        if unfinished == 0 {
            return Ok(Unfinished::default());
        }
        let gates = read_gates(&mut conn).await?;
        Ok(Unfinished { unfinished, stuck: stuck(&open, &gates).unwrap_or_default() })
    }
}

record! {
    /// The counts of an unfinished batch at one provider.
    struct OpenRow {
        batch_id: String,
        provider: String,
        queued: i64,
        asked: i64,
        retrying: i64,
        at_ceiling: i64,
        credits_reserved: Credits = Credits::from_thousandths,
        max_credits: Option<Credits> = optional_credits,
        cancelled: i64,
    }
}

async fn read_open(conn: &mut Conn) -> Result<Vec<Open>> {
    let found: Vec<OpenRow> = conn
        .fetch_all(
            "SELECT b.batch_id, t.provider, t.queued, t.asked, t.retrying, t.at_ceiling,
                    t.credits_reserved, t.max_credits,
                    CAST(CASE WHEN b.cancelled_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS cancelled
             FROM batches b JOIN batch_totals t ON t.batch_id = b.id
             WHERE b.published_at IS NOT NULL AND b.finished_at IS NULL
               AND t.queued + t.asked + t.retrying > 0
             ORDER BY b.id, t.provider DESC",
            &[],
        )
        .await?;
    found
        .into_iter()
        .map(|row| {
            Ok(Open {
                provider: parse_provider(&row.provider, 0)?,
                batch: row.batch_id,
                queued: row.queued,
                on_the_way: row.asked,
                retrying: row.retrying,
                at_ceiling: row.at_ceiling == 1,
                reserved: row.credits_reserved,
                max_credits: row.max_credits,
                cancelled: row.cancelled == 1,
            })
        })
        .collect()
}

/// The causes, if every open row has one; `None` if anything may still move.
fn stuck(open: &[Open], gates: &[ShownGate]) -> Option<Vec<String>> {
    let shut: BTreeMap<Provider, Why> =
        gates.iter().filter_map(|shown| Some((shown.provider, needs_operator(shown)?))).collect();
    let mut behind: BTreeMap<(Provider, &str), i64> = BTreeMap::new();
    let mut lines = Vec::new();
    for o in open {
        // A result ends the waiting, and a batch being cancelled is about to end.
        if o.on_the_way > 0 || o.cancelled {
            return None;
        }
        if shut.contains_key(&o.provider) {
            *behind.entry((o.provider, "held")).or_default() += o.queued;
            *behind.entry((o.provider, "retrying")).or_default() += o.retrying;
        } else if o.at_ceiling && o.retrying == 0 && o.reserved == Credits::ZERO {
            let why = ceiling(o.provider, &o.batch, o.max_credits);
            lines.push(format!("batch {}: {} held: {why}", o.batch, count(o.queued, "row")));
        } else {
            return None;
        }
    }
    let behind = behind.iter().filter(|(_, n)| **n > 0);
    let gates = behind.filter_map(|((provider, state), n)| {
        Some(format!("{provider}: {} {state}: {}", count(*n, "row"), shut.get(provider)?))
    });
    Some(gates.chain(lines).collect())
}
