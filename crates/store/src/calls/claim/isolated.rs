//! People who are not simply next in the queue: those in backoff, and isolation groups.

use db::{Conn, record};
use jobs::{Provider, RevealState, Timestamp, lookup};

use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};

/// How many people one claim puts back into the queue after their backoff.
const DUE_AT_ONCE: i64 = 2_000;

/// Whether there are people in backoff, in isolation groups or to be looked up. The statements that find them run only
/// then: Postgres plans those statements again each time, which takes longer than this check.
pub(super) struct OffQueue {
    /// When the first backoff is over.
    pub(super) next_due: Option<Timestamp>,
    /// Whether there are isolation groups.
    pub(super) isolated: bool,
    /// Whether some people must be looked up before they can be asked for.
    pub(super) to_look_up: bool,
    /// Whether a lookup is on its way.
    pub(super) lookup_is_out: bool,
}

record! {
    /// What waits outside of the queue: a time, and 1 for each kind that exists.
    #[derive(Default)]
    struct OffQueueRow {
        next_due: Option<i64>,
        isolated: i64,
        to_look_up: i64,
        lookup_is_out: i64,
    }
}

impl OffQueue {
    pub(super) async fn read(conn: &mut Conn, provider: Provider) -> Result<OffQueue> {
        let found: Option<OffQueueRow> = conn.fetch_optional(
            "SELECT (SELECT MIN(retry_at) FROM reveals WHERE provider = $1 AND retry_at IS NOT NULL) AS next_due,
                    CAST(CASE WHEN EXISTS (SELECT 1 FROM reveals WHERE provider = $1 AND queue_group IS NOT NULL)
                              THEN 1 ELSE 0 END AS BIGINT) AS isolated,
                    CAST(CASE WHEN $2 = 1 AND EXISTS (SELECT 1 FROM reveals WHERE lookup_owner > 0)
                              THEN 1 ELSE 0 END AS BIGINT) AS to_look_up,
                    CAST(CASE WHEN $2 = 1 AND EXISTS (SELECT 1 FROM calls WHERE state = 'sending' AND kind = 'lookup')
                              THEN 1 ELSE 0 END AS BIGINT) AS lookup_is_out",
            &[&provider.as_str(), &i64::from(provider == lookup::PROVIDER)],
        )
        .await?;
        let row = found.unwrap_or_default();
        Ok(OffQueue {
            next_due: row.next_due.map(Timestamp),
            isolated: row.isolated == 1,
            to_look_up: row.to_look_up == 1,
            lookup_is_out: row.lookup_is_out == 1,
        })
    }
}

/// Puts people whose backoff is over back into the queue; returns whether there were any.
pub(super) async fn promote_due(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    now: Timestamp,
) -> Result<bool> {
    let due: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT id FROM reveals WHERE provider = $1 AND retry_at <= $2
             ORDER BY retry_at LIMIT $3 FOR UPDATE SKIP LOCKED",
            &[&provider.as_str(), &now.0, &DUE_AT_ONCE],
        )
        .await?;
    let ids: Vec<i64> = due.into_iter().map(|(id,)| id).collect();
    shift(conn, totals, provider, &ids, Change::to(RevealState::Queued), now).await?;
    Ok(!ids.is_empty())
}
