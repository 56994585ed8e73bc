//! An answer whose people name no handle: each person is asked for alone, and then the one in the answer is theirs.

use db::{Conn, Ints};
use jobs::{Provider, RevealState, Timestamp};

use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};

/// Beyond the numbers of all groups that halves of refused calls are.
const GROUPS_OF_ONE: i64 = 1 << 62;

/// Puts each into a group of its own. Such groups may use a tenth of the day's requests.
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
