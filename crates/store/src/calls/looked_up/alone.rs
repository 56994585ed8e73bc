//! An answer that names no handles: each person is asked for alone, so that the one person in the answer is theirs.

use db::{Conn, Ints};
use jobs::{Provider, RevealState, Timestamp};

use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};

/// Above the numbers of all groups that are halves of refused calls.
const GROUPS_OF_ONE: i64 = 1 << 62;

/// Puts each person into an isolation group of their own. Such groups may use a tenth of the day's requests.
pub(super) async fn ask_alone(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    let reason = Some("lookup: asked alone, since the answer names no handles");
    let change = Change { reason, ..Change::to(RevealState::Queued) };
    shift(conn, totals, provider, ids, change, now).await?;
    conn.execute(
        "UPDATE reveals SET isolation_group = $2 + id WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(ids), &GROUPS_OF_ONE],
    )
    .await?;
    Ok(())
}
