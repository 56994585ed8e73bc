//! A call that was given up, but was accepted by the provider after all.

use db::{Conn, Ints};
use jobs::{Credits, Provider, RevealState, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;
use crate::reveals::charge::display_charges_again;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::topic::Topic;

/// Returns how many credits each batch holds reserved for people of a call who have no result.
pub(crate) async fn reserved_by_payer(conn: &mut Conn, call: i64) -> Result<Vec<(i64, Credits)>> {
    let reserved: Vec<(i64, i64)> = conn
        .fetch_all(
            "SELECT payer, CAST(SUM(reserved) AS BIGINT) FROM call_reveals
             WHERE call_id = $1 AND credits IS NULL GROUP BY payer",
            &[&call],
        )
        .await?;
    Ok(reserved.into_iter().map(|(payer, n)| (payer, Credits::from_thousandths(n))).collect())
}

/// Takes back a request that was to be sent again, but was accepted by the provider after all. Its people who wait for
/// a repeat wait for its result instead, until `deadline` milliseconds after it was sent. People who are in a repeat
/// may come back to it ([`rejoin_accepted`]). The call must be locked.
pub(crate) async fn take_back(
    conn: &mut Conn,
    totals: &mut Totals,
    call: i64,
    deadline: i64,
    now: Timestamp,
) -> Result<()> {
    let expired: Option<(String,)> = conn
        .fetch_optional("SELECT provider FROM calls WHERE id = $1 AND state = 'expired'", &[&call])
        .await?;
    let Some((provider,)) = expired else { return Ok(()) };
    let provider = parse_provider(&provider, call)?;
    // Among requests that a response or a webhook can still answer, only UNKNOWN_GRACE repeats a request under the same
    // reveal, perhaps not for the first time.
    let repeated: Vec<(i64, String)> = conn.fetch_all(
        "SELECT r.id, r.state FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id
         WHERE m.call_id = $1 AND m.credits IS NULL AND r.state IN ('idle', 'queued', 'retrying', 'asked')
         ORDER BY r.id FOR UPDATE OF r",
        &[&call],
    )
    .await?;
    if repeated.is_empty() {
        return Ok(());
    }
    let (asked, ids): (Vec<_>, Vec<_>) =
        repeated.into_iter().partition(|(_, state)| *state == RevealState::Asked.as_str());
    let [asked, ids] =
        [asked, ids].map(|of| of.into_iter().map(|(id, _)| id).collect::<Vec<i64>>());
    conn.execute(
        "UPDATE calls SET state = 'accepted', outcome = 'accepted', deadline_at = sent_at + $2,
            poll_at = CASE WHEN tracking_id IS NOT NULL THEN CAST($3 AS BIGINT) END
         WHERE id = $1",
        &[&call, &deadline, &now.0],
    )
    .await?;
    for (payer, credits) in reserved_by_payer(conn, call).await? {
        totals.write_back(payer, provider, credits);
    }
    conn.execute(
        "UPDATE reveals SET repeat_of = $2
         WHERE id IN (SELECT e.value FROM IDS($1) AS e)
           AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.id = reveals.repeat_of AND c.id > $2 AND c.state = 'accepted')",
        &[&Ints::of(&asked), &call],
    )
    .await?;
    shift(conn, totals, provider, &ids, Change::to(RevealState::Asked), now).await?;
    conn.execute(
        "UPDATE reveals SET call_id = $2, repeat_of = NULL
         WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&ids), &call],
    )
    .await?;
    display_charges_again(conn, &ids.into_iter().collect()).await?;
    conn.announce(Topic::Polls);
    Ok(())
}

/// Moves people who come back from a repeat to their earlier request, if that was taken meanwhile: they wait for its result
/// instead. `ids` must be locked.
pub(crate) async fn rejoin_accepted(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    let waiting: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT r.id FROM IDS($1) AS e JOIN reveals r ON r.id = e.value
             JOIN calls c ON c.id = r.repeat_of AND c.state = 'accepted'
             JOIN call_reveals m ON m.call_id = c.id AND m.reveal_id = r.id AND m.credits IS NULL
             WHERE r.state IN ('idle', 'queued', 'retrying')",
            &[&Ints::of(ids)],
        )
        .await?;
    let ids: Vec<i64> = waiting.into_iter().map(|(id,)| id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    shift(conn, totals, provider, &ids, Change::to(RevealState::Asked), now).await?;
    conn.execute(
        "UPDATE reveals SET call_id = repeat_of, repeat_of = NULL, isolation_group = NULL
         WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&ids)],
    )
    .await?;
    display_charges_again(conn, &ids.into_iter().collect()).await
}
