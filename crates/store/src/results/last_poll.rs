use std::time::Duration;

use db::{Conn, Ints};
use jobs::{Provider, RevealState, Timestamp};

use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

/// How long the last poll of the earlier request is waited for before the person is asked again anyway.
const LAST_POLL: Duration = Duration::from_secs(24 * 3600);

/// The reason that rows show while they wait for such a poll.
const POLLED_FIRST: &str = "the earlier request is polled once more";

/// Schedules a last poll of the requests that `ids` would repeat; the people wait for its result.
pub(crate) async fn poll_first(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    let change = Change {
        reason: Some(POLLED_FIRST),
        due_at: Some(now + LAST_POLL),
        ..Change::to(RevealState::Retrying)
    };
    shift(conn, totals, provider, ids, change, now).await?;
    conn.execute(
        "UPDATE calls SET poll_at = $2, deadline_at = $2
         WHERE state = 'expired' AND id IN (
            SELECT r.repeat_of FROM IDS($1) AS e JOIN reveals r ON r.id = e.value)",
        &[&Ints::of(ids), &now.0],
    )
    .await?;
    Ok(())
}

/// Makes due the people who waited for the last poll of `call`, which brought nothing: they are asked again.
pub(crate) async fn polled_in_vain(conn: &mut Conn, call: i64, now: Timestamp) -> Result<()> {
    conn.execute(
        "UPDATE calls SET deadline_at = NULL, poll_at = NULL, poll_lease = NULL WHERE id = $1",
        &[&call],
    )
    .await?;
    wait_no_longer(conn, call, now).await
}

/// Makes due the people who wait for a last poll of `call`, which can't be made: they are asked again.
pub(crate) async fn wait_no_longer(conn: &mut Conn, call: i64, now: Timestamp) -> Result<()> {
    conn.execute(
        "UPDATE reveals SET due_at = $2 WHERE repeat_of = $1 AND state = 'retrying' AND reason = $3
         AND id IN (SELECT n.id FROM call_reveals m JOIN reveals o ON o.id = m.reveal_id
                    JOIN reveals n ON n.provider = o.provider AND n.subject = o.subject
                    WHERE m.call_id = $1)",
        &[&call, &now.0, &POLLED_FIRST],
    )
    .await?;
    conn.announce(Topic::Queue);
    Ok(())
}
