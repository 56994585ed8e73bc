//! In whose turn people are sent, when the batch whose turn it was steps back.

use std::collections::BTreeMap;

use jobs::{Provider, RevealState, Timestamp};

use crate::Result;
use crate::conn::{Conn, rows};
use crate::totals::{Totals, json};
use crate::transition::{Change, parse_provider, shift};

/// Gives those of `ids` who wait the lane in which they are served soonest: of a batch with room under
/// its ceiling before one without, published before one that loads, then by priority. Whom nobody
/// wants goes idle.
pub(crate) async fn find_lanes(
    conn: &mut Conn,
    totals: &mut Totals,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    // The sum keeps Postgres from reading all rows of a batch: of new tables it doesn't know which index
    // names fewer.
    let placed: Vec<(i64, String, Option<i64>)> = rows!(
        conn,
        "UPDATE reveals SET newcomer = 0, lane = (
            SELECT b.id FROM batch_rows w
            JOIN batches b ON b.id = w.batch_id + 0 AND b.cancelled_at IS NULL
            LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = reveals.provider
            WHERE w.reveal_id = reveals.id AND w.ended IS NULL
            ORDER BY COALESCE(t.at_ceiling, 0), CASE WHEN b.published_at IS NULL THEN 1 ELSE 0 END,
                     b.priority DESC, b.id LIMIT 1)
         WHERE id IN (
            SELECT r.id FROM IDS($1) AS e JOIN reveals r ON r.id = CAST(e.value AS BIGINT)
            WHERE r.state IN ('queued', 'retrying') ORDER BY r.id FOR UPDATE)
         RETURNING id, provider, lane",
        json(&ids),
    )?;
    let mut unwanted: BTreeMap<Provider, Vec<i64>> = BTreeMap::new();
    for (id, provider, lane) in placed {
        if lane.is_none() {
            unwanted.entry(parse_provider(&provider, id)?).or_default().push(id);
        }
    }
    for (provider, ids) in unwanted {
        shift(conn, totals, provider, &ids, Change::to(RevealState::Idle), now).await?;
    }
    Ok(())
}
